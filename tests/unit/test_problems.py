import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from jivsbench.service.problems import describe_validation
from jivsbench.service.requests import ExtractionBody

CANARY = "cAnArY-5e77"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"table": "t", "transforms": [{"kind": CANARY}]}, "transforms.0: is none of 'mask', 'rename'"),
        ({"table": "t", CANARY: 1}, "has a field that does not exist"),
        ({"table": "t", "row_limit": CANARY}, "row_limit: "),
        ({"table": "t", "filters": [{"column": "c", "operator": CANARY, "values": []}]}, "filters.0.operator: "),
        ({"table": "t", "format": CANARY}, "format: "),
        ({"table": "t", "query": CANARY}, "needs a table or a query"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_without_what_was_sent(body: dict[str, object], told: str) -> None:
    """Fields and what each needs; the framework's own text of an unknown kind repeats it."""
    with pytest.raises(ValidationError) as raised:
        ExtractionBody.model_validate({"source": "s", **body})
    problem = describe_validation(RequestValidationError(raised.value.errors()))

    assert told in problem.detail
    assert CANARY not in problem.detail
