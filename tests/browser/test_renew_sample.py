"""The sample in reports/sample is a run as it was written, and its picture is taken of it."""

import shutil
from pathlib import Path

import pytest

from jivsbench.app.conclusion import conclude
from jivsbench.plugins import load_registry
from tests.browser import renew_sample
from tests.gold.sample_runs import one_arm

pytestmark = pytest.mark.browser


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one run, a demo, and an old sample."""
    run = shutil.copytree(renew_sample.SAMPLE, tmp_path / "reports" / "runs" / "20250101T000000Z-demo")
    (run / "README.md").unlink()
    sample = tmp_path / "reports" / "sample"
    sample.mkdir()
    (sample / "README.md").write_text("stays")
    (sample / "old.log").write_text("goes")
    for name, path in (("ROOT", tmp_path), ("SAMPLE", sample), ("PICTURE", tmp_path / "report.png")):
        monkeypatch.setattr(renew_sample, name, path)
    return tmp_path


def test_the_latest_demo_takes_the_place_of_the_sample(checkout: Path) -> None:
    """Every file as it was, the sample's own README kept, and a picture of the page."""
    renew_sample.main()

    (run,) = (checkout / "reports" / "runs").iterdir()
    sample = {path.name: path.read_bytes() for path in (checkout / "reports" / "sample").iterdir()}
    assert sample.pop("README.md") == b"stays"
    assert sample == {path.name: path.read_bytes() for path in run.iterdir()}
    assert (checkout / "report.png").read_bytes().startswith(b"\x89PNG")


def test_another_run_is_no_sample(checkout: Path) -> None:
    """It is named, and the old sample stays."""
    conclude(one_arm().record, checkout / "reports" / "runs" / "20260101T000000Z-baseline", load_registry())

    with pytest.raises(SystemExit, match="not of the demo"):
        renew_sample.main()
    assert (checkout / "reports" / "sample" / "old.log").exists()
