"""A row that would fill the memory ends the read, not the process."""

import pytest

from jivsbench.errors import ExtractionError
from jivsbench.model.table import ExtractionRequest
from jivsbench_postgres import wire
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.wire import Wire


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["socket", "libpq"])
def test_a_row_beyond_the_limit_ends_the_read(
    session: PostgresConnection, monkeypatch: pytest.MonkeyPatch, *, is_encrypted: bool
) -> None:
    """An error that says so, on both ways that rows take; the session is closed, and closing it again does no harm."""
    monkeypatch.setattr(wire, "LONGEST_ROW_BYTES", 1 << 20)
    monkeypatch.setattr("jivsbench_postgres.socket_copy.LONGEST_ROW_BYTES", 1 << 20)
    inner: Wire = session._wire
    inner._is_encrypted = is_encrypted
    request = ExtractionRequest("test", query="SELECT 1 AS id, repeat('x', 4000000) AS value")
    session.begin()
    partition = session.partitions(request, session.schema(request), 1)[0]

    with pytest.raises(ExtractionError, match="longer than 1 MiB"):
        list(session.read(partition))
    assert not inner.is_open
    session.close()
