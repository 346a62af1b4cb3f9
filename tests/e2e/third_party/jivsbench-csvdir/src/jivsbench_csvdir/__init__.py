"""A folder of CSV files as a source for jivsbench."""

from collections.abc import Iterable

from jivsbench.api import Connector, hookimpl


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """The connector `csvdir`."""
    from jivsbench_csvdir.connector import CsvFolderConnector

    return [CsvFolderConnector()]
