"""Ports that Locust listens on. It says too late, or by ending the process, that one is taken; so that is asked before."""

import gevent.socket

from jivsbench.errors import PortInUseError


def require_free_port(host: str, port: int, purpose: str, option: str) -> None:
    """Raise PortInUseError unless one can listen there now."""
    with gevent.socket.socket(gevent.socket.AF_INET, gevent.socket.SOCK_STREAM) as probe:
        probe.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise PortInUseError(
                f"{purpose} was to be on {host}:{port}, which cannot be had ({exc.strerror}): choose another port with {option}"
            ) from exc
