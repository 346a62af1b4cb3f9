"""The connector `csvdir`: opens folders."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from jivsbench.api import ReadLimits
from jivsbench.errors import MissingObjectError
from jivsbench.model.source import DataSource
from jivsbench_csvdir.connection import CsvFolderConnection


class CsvFolderConnector:
    """Opens `csvdir:///path/to/folder`."""

    name = "csvdir"
    schemes = ("csvdir",)
    dialect = ""

    def connect(self, source: DataSource, limits: ReadLimits) -> CsvFolderConnection:  # noqa: ARG002 - files do not wait
        """A session with the folder. Raises MissingObjectError when there is none."""
        folder = Path(unquote(urlsplit(source.url.reveal()).path))
        if not folder.is_dir():
            raise MissingObjectError(f"the source {source.name!r} has no folder {folder}: check its URL")
        return CsvFolderConnection(folder)
