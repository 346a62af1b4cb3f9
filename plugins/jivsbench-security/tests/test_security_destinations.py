"""The URLs of the check of destinations, and that its listeners notice whoever comes."""

import socket

from jivsbench_security.destinations.destination_urls import (
    Traps,
    list_elsewhere,
    list_neighbours,
    list_overriding,
    list_rebinding,
    list_smuggled,
)
from jivsbench_security.servers.listeners import Listeners, build_redirect, open_socket_file


def test_a_visit_is_noticed_at_once_wherever_it_comes(tmp_path) -> None:
    """TCP and socket files count, the redirect does not and answers."""
    listeners = Listeners()
    port = listeners.listen(socket.AF_INET, ("127.0.0.1", 0), "an address")
    listeners.listen(socket.AF_UNIX, str(open_socket_file(tmp_path)), "a socket file")
    redirect = listeners.listen(socket.AF_INET, ("127.0.0.1", 0), "a redirect", build_redirect("http://127.0.0.2/"))
    with listeners.accepting():
        assert listeners.take_visits() == ()
        socket.create_connection(("127.0.0.1", port), 2.0).close()
        assert listeners.take_visits() == ("an address",)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(open_socket_file(tmp_path)))
            assert listeners.take_visits() == ("a socket file",)
        with socket.create_connection(("127.0.0.1", redirect), 2.0) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"Location: http://127.0.0.2/" in client.recv(1000)
        assert listeners.take_visits() == ()


def test_each_way_elsewhere_is_written_once(tmp_path) -> None:
    """Distinct URLs, and options on the source's own URL only where it is PostgreSQL's."""
    traps = Traps(1234, 1235, tmp_path)
    url = "postgresql://u:p@127.0.0.1/d"
    lists = (list_neighbours(), list_elsewhere(traps), list_smuggled(traps), list_overriding(url, traps), list_rebinding(1))
    sent = [(one.connector, one.url) for urls in lists for one in urls]

    assert len(set(sent)) == len(sent) >= 120
    assert not list(list_overriding("mysql://u:p@127.0.0.1/d", traps))
