"""Which hosts are this machine."""

import pytest

from jivsbench.model.host import is_this_machine


@pytest.mark.parametrize(
    "host", ["", "localhost", "LOCALHOST.", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1", "/run/x"]
)
def test_what_never_leaves_the_machine(host: str) -> None:
    """Loopback in its spellings, and sockets."""
    assert is_this_machine(host)


@pytest.mark.parametrize(
    "host", ["db", "localhost.example.com", "10.0.0.1", "0.0.0.0", "127.1", "::", "fe80::1", "::ffff:10.0.0.1"]
)
def test_everything_else_is_another_machine(host: str) -> None:
    """Odd spellings too: what is not recognised is protected."""
    assert not is_this_machine(host)
