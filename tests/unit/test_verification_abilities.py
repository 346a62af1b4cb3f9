"""A level of verification that the source cannot keep is refused before anything is read."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from jivsbench.errors import ExtractionError
from jivsbench.extract.extractor import Extractor
from jivsbench.model.profile import Verification
from jivsbench.model.source import DataSource
from jivsbench.model.table import Partition
from tests.unit.extract_fakes import REQUEST, FakeConnection, FakeConnector, FakeServer, build_profile, build_source


class UnreadConnection(FakeConnection):
    """Says so when it is read."""

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        raise AssertionError(f"partition {partition.index} was read")


class UnreadConnector(FakeConnector):
    """Opens connections that must not be read."""

    def connect(self, _source: DataSource, _limits: object) -> FakeConnection:
        return UnreadConnection(self.server)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (Verification.COLUMNS, "the connector fake computes no figures of columns: verify by count"),
        (Verification.ROWS, "the connector fake computes no fingerprints of rows: verify by columns or by count"),
    ],
)
def test_a_level_beyond_the_source_is_refused(tmp_path: Path, level: Verification, message: str) -> None:
    """One line says what to ask for instead; no file is left."""
    connectors = {"fake": UnreadConnector(FakeServer())}
    profile = build_profile(verification=level)
    extractor = Extractor(connectors=connectors, guards=(), profile=profile, output_dir=tmp_path)
    try:
        with pytest.raises(ExtractionError, match=f"^{message}$"):
            extractor.extract("job", build_source(), REQUEST)
    finally:
        extractor.close()

    assert list(tmp_path.iterdir()) == []
