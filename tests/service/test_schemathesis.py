"""Everything that the service's OpenAPI document allows, and what it does not, asked by a tool that knows nothing else of it."""

import contextlib
from http import HTTPStatus

import hypothesis
import hypothesis.errors
import pytest
import schemathesis
import urllib3
from schemathesis.generation import GenerationMode

from tests.service.service_bench import TOKENS, Bench, Role

# Derandomized: what it asks is the same in every run of one version of the tool.
SETTINGS = hypothesis.settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


def ask(bench: Bench, mode: GenerationMode, examples: int) -> tuple[list[str], int]:
    """The requests that the service answered as for a fault of its own, and how many there were in all."""
    headers = {"Authorization": f"Bearer {TOKENS[Role.ADMIN]}"}
    schema = schemathesis.openapi.from_url(f"{bench.service.base_url}/api/v1/openapi.json", headers=headers)
    statuses: list[int] = []
    faults: list[str] = []

    def send(case: schemathesis.Case) -> None:
        answer = case.call(headers=headers, timeout=30)
        statuses.append(answer.status_code)
        # Busy, or without a credential key, is announced in the document and says so with a slug.
        is_announced = answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE and b'"slug"' in answer.content
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_announced:
            faults.append(f"{answer.status_code} {answer.text[:300]}: {case.as_curl_command()}")

    for found in schema.get_all_operations():
        asked = hypothesis.given(found.ok().as_strategy(generation_mode=mode))(send)
        # What takes no input at all cannot be asked wrongly.
        with contextlib.suppress(hypothesis.errors.Unsatisfiable):
            hypothesis.settings(SETTINGS, max_examples=examples)(asked)()
    return faults, len(statuses)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("examples", [5, pytest.param(500, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])])
def test_no_request_makes_the_service_fail(bench: Bench, mode: GenerationMode, examples: int) -> None:
    """No answer is a fault of the service's own, and it answers afterwards."""
    faults, asked = ask(bench, mode, examples)

    assert faults == []
    assert asked > 4 * examples
    assert urllib3.request("GET", f"{bench.service.base_url}/ready").status == HTTPStatus.OK
