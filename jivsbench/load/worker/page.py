"""Locust's own web page, to look at while a load runs. To start or stop users on it makes the run invalid.

It listens on the loopback address alone: it has no login, and whoever reaches it can touch the load.
"""

from collections.abc import Callable
from typing import Final

from locust.env import Environment

from jivsbench.errors import InvalidRunError
from jivsbench.load.worker.ports import require_free_port

PAGE_HOST: Final = "127.0.0.1"


def open_page(environment: Environment, port: int, on_touch: Callable[[Exception], object]) -> None:
    """Serve the page. `on_touch` is told when somebody starts or stops users on it. Raises PortInUseError."""
    require_free_port(PAGE_HOST, port, "Locust's page", "--ui-port")
    environment.create_web_ui(PAGE_HOST, port)

    def refuse(**_facts: object) -> None:
        on_touch(
            InvalidRunError("users were started or stopped on Locust's page, so the load was not the planned one: run again")
        )

    environment.events.test_start.add_listener(refuse)  # type: ignore[no-untyped-call]
    environment.events.test_stopping.add_listener(refuse)  # type: ignore[no-untyped-call]
