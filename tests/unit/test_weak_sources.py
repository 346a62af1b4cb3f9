"""Sources that keep no snapshots or cannot count: what is not known is said, and never taken for good."""

from pathlib import Path

import pytest

from jivsbench.errors import ExtractionError, VerificationError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import Manifest, parse_manifest
from jivsbench.model.job import ExtractionResult
from tests.unit.extract_fakes import REQUEST, FakeConnector, FakeServer, build_profile, build_source


def extract(server: FakeServer, folder: Path) -> tuple[ExtractionResult, Manifest]:
    """One job of the fake server's table, and its manifest."""
    extractor = Extractor(connectors={"fake": FakeConnector(server)}, guards=(), profile=build_profile(), output_dir=folder)
    try:
        result = extractor.extract("job", build_source(), REQUEST)
    finally:
        extractor.close()
    return result, parse_manifest((folder / "job" / "manifest.json").read_bytes())


def test_rows_that_the_source_cannot_count_are_not_said_to_be_all(tmp_path: Path):
    """The count is null in result and manifest: neither 0 nor the number of rows read."""
    result, manifest = extract(FakeServer(rows=40, can_count=False), tmp_path)

    assert (result.rows_in_source, result.rows_read, result.rows_written) == (None, 40, 40)
    assert [part.rows_in_source for part in manifest.partitions] == [None]


def test_one_uncounted_partition_leaves_the_whole_uncounted(tmp_path: Path):
    """The sum of the others would look like the whole."""
    result, manifest = extract(FakeServer(rows=40, can_count=False, split_into=2), tmp_path)

    assert result.rows_in_source is None
    assert len(manifest.partitions) == 2


@pytest.mark.parametrize(("keeps_snapshots", "expected"), [(True, "one-snapshot"), (False, "unchanged")])
def test_the_manifest_says_what_was_kept(tmp_path: Path, *, keeps_snapshots: bool, expected: str):
    """A source without snapshots is not given one."""
    _result, manifest = extract(FakeServer(keeps_snapshots=keeps_snapshots), tmp_path)

    assert manifest.consistency == expected
    assert (manifest.snapshot is not None) is keeps_snapshots


def test_a_source_that_changed_while_it_was_read_gives_no_output(tmp_path: Path):
    """The last question is asked before anything gets its final name."""
    with pytest.raises(ExtractionError, match="changed while it was read"):
        extract(FakeServer(keeps_snapshots=False, has_changed=True), tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_lost_batch_is_found_where_the_source_can_count(tmp_path: Path):
    """The same loss that a source without a count would hide."""
    with pytest.raises(VerificationError, match="the source has 100 rows, 90 were read"):
        extract(FakeServer(keeps_snapshots=False, lost_batches=1), tmp_path)
