"""`worker` and its master: a host is a name or an address, and what is none is refused before anything connects."""

import pytest
from click.testing import CliRunner

from jivsbench.cli.root import root
from jivsbench.errors import UsageError
from jivsbench.model.host import is_host

NO_HOSTS = (
    "http://10.0.0.5",
    "foo bar",
    "10.0.0.5 ",
    "10.0.0.5\n",
    "10.0.0.5:5557",
    "[::1]",
    "10.0.0",
    "a/b",
    "a@b",
    "-a",
    "*",
)


@pytest.mark.parametrize("host", NO_HOSTS)
def test_a_master_that_is_no_host_is_refused(tmp_path, monkeypatch, host):
    """At once, and not after five minutes of waiting or with an error of the socket."""
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(root, ["worker", "--master", host], standalone_mode=False)

    assert isinstance(ended.exception, UsageError)
    assert f"--master {host!r} is no host: give its name or its address alone" in str(ended.exception)


@pytest.mark.parametrize("address", [*NO_HOSTS, "0.0.0.0", "::", "::1"])
def test_an_address_that_nobody_could_join_is_refused(tmp_path, monkeypatch, address):
    """By `run`, before a server starts; also one of IPv6, where the master's port is not looked for."""
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(root, ["run", "baseline", "--master-bind", address], standalone_mode=False)

    assert isinstance(ended.exception, UsageError)
    assert "is no address that load machines could reach" in str(ended.exception)


@pytest.mark.parametrize(
    "host", ["localhost", "10.0.0.5", "::1", "fe80::1%eth0", "load-1.example.com", "load_1", "example.com.", "2b"]
)
def test_names_and_addresses_are_hosts(host):
    """Of both families, with a zone, with an underscore, with the dot of the root."""
    assert is_host(host)


@pytest.mark.parametrize("host", [".", "a..b", "a" * 64, "a." * 126 + "ab", "\u00fcn\u00ef.de", "300.1.1.1", "a;b"])
def test_what_no_name_server_would_take_is_no_host(host):
    """Empty and overlong labels, letters of other alphabets, and four numbers of which one is too large."""
    assert not is_host(host)
