"""Data sources of a check's own, added to a target and removed again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret


@contextmanager
def second_source(
    context: CheckContext, name: str, *, url: Secret | None = None, tables: tuple[str, ...] | None = None
) -> Iterator[str]:
    """A source of the target's own server under another name, or one with another URL or another list of tables.

    Raises InvalidRunError when the target does not take it. Whoever removed it within the block has done no harm.
    """
    body = {"name": name, **describe_source(context, url, tables=tables)}
    answer = context.target.call("POST", "/data-sources", body)
    if answer.status != HTTPStatus.CREATED:
        raise InvalidRunError(
            f"the target was to take a data source of the check's own and answered {answer.status}: see its log"
        )
    try:
        yield name
    finally:
        context.target.call("DELETE", f"/data-sources/{name}")


def describe_source(
    context: CheckContext, url: Secret | None = None, *, tables: tuple[str, ...] | None = None
) -> Mapping[str, object]:
    """The body of POST or PUT /data-sources for the target's own server, without a name."""
    reader = context.reader()
    return {
        "connector": reader.connector,
        "url": (url or reader.url).reveal(),
        "tables": list(tables or reader.tables or ()) or None,
        "type_policy": reader.type_policy.value,
    }
