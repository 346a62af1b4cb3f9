"""The connector itself: opens the root folder of a source."""

from jivsbench.api import ReadLimits
from jivsbench.model.source import DataSource
from jivsbench_files.address import parse_address
from jivsbench_files.confinement import Root
from jivsbench_files.connection import FilesConnection


class FilesConnector:
    """Reads files below a folder. There is no server and no SQL: filters are worked out here."""

    name = "files"
    schemes = ("files",)
    dialect = ""

    def connect(self, source: DataSource, limits: ReadLimits) -> FilesConnection:
        """Open the folder. Raises MissingObjectError when there is none, AccessDeniedError when it may not be read."""
        address = parse_address(source.url)
        return FilesConnection(Root(address.root, takes_hard_links=address.options.takes_hard_links), address, source, limits)
