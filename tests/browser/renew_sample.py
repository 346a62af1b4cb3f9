"""`python -m tests.browser.renew_sample`: the latest demo becomes reports/sample, and its report the picture in the README.

The folder is taken as the run wrote it; the README of the sample stays. The picture is the first part of the report, as
Debian's Chromium shows it (`sh tests/browser/install_chromium.sh`).
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from jivsbench.app.conclusion import find_run
from jivsbench.report.bundle import read_record

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "reports" / "sample"
PICTURE = ROOT / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 960, 1762


def main() -> None:
    """Ends with 1 when the latest run is no demo: another run is no sample of it."""
    run = find_run(ROOT / "reports", "latest")
    scenario = read_record(run).plan.scenario.name
    if scenario != "demo":
        sys.exit(f"{run} is a run of {scenario!r}, not of the demo: call 'make demo' first")
    for old in SAMPLE.iterdir():
        if old.name != "README.md":
            old.unlink()
    for file in run.iterdir():
        shutil.copyfile(file, SAMPLE / file.name)
    take_picture(SAMPLE / "report.html", PICTURE)
    sys.stdout.write(f"{SAMPLE} is {run.name} now, and {PICTURE} shows it\n")


def take_picture(page: Path, picture: Path) -> None:
    """The top of the page on a light screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
