"""Files connector for jivsbench: tables that are files below one folder."""

from collections.abc import Iterable

from jivsbench.api import Connector, hookimpl


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer the connector `files`."""
    from jivsbench_files.connector import FilesConnector

    return (FilesConnector(),)
