"""Every text that the server can hold is read as it is."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jivsbench.api import ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Partition
from jivsbench_postgres.connector import PostgresConnector

# The characters that COPY, Arrow's reader or both treat in a way of their own, more often than others.
SPECIAL = st.sampled_from(
    ["\\", "\n", "\r", "\t", "\b", "\f", "\v", "N", "n", "\\N", "\\.", '"', "'", ",", "\ufeff", "\x01", "\x7f", ""]
)
ANY = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
TEXTS = st.lists(st.one_of(st.none(), st.lists(SPECIAL | ANY, max_size=5).map("".join)), min_size=1, max_size=12)


@pytest.mark.parametrize("columns", ["v", "i, v", "v, i"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_texts_survive(embedded_postgres_url: str, columns: str, texts: list[str | None]) -> None:
    """Alone in its row, first and last: NULL and the empty string stay apart, and no character changes."""
    literals = ", ".join("(%d, %s)" % (i, "NULL" if t is None else _quote(t)) for i, t in enumerate(texts))  # noqa: UP031 - braces are data
    query = f"SELECT {columns} FROM (VALUES {literals}) AS t (i, v) ORDER BY i"
    connection = PostgresConnector().connect(DataSource("test", "postgres", Secret(embedded_postgres_url)), ReadLimits())
    try:
        connection.begin()
        request = ExtractionRequest("test", query=query)
        schema = connection.schema(request)
        rows = pa.Table.from_batches(connection.read(Partition(0, request, schema)), schema.to_arrow())
    finally:
        connection.close()

    assert rows.column("v").to_pylist() == texts


def _quote(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
