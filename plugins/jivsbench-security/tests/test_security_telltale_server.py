"""The server that tells passwords: it is told one, and tells it."""

import psycopg
import pytest

from jivsbench_security.servers.telltale_server import TelltaleServer


def test_it_is_told_a_password_and_tells_it() -> None:
    """In the text of its error, as a hostile server does; the check sees that it was."""
    with TelltaleServer() as server, pytest.raises(psycopg.OperationalError, match=r"s3cret~pass"):
        psycopg.connect(f"postgresql://ann:s3cret~pass@127.0.0.1:{server.port}/db", connect_timeout=3)

    assert server.told == 1
