"""REST connector for jivsbench: paged JSON over HTTP."""

from collections.abc import Iterable

from jivsbench.api import Connector, hookimpl


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer the connector `rest`."""
    from jivsbench_rest.connector import RestConnector

    return (RestConnector(),)
