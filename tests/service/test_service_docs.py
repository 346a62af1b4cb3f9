"""The examples of docs/api.md work as they stand."""

import os
import re
import subprocess
from pathlib import Path

from tests.service.service_bench import TOKENS, Bench, Role

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_examples_of_the_page_work(bench: Bench, shop_url: str) -> None:
    """Every block of commands, run by a shell in the order of the page, against a running service."""
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    variables = {"URL": bench.service.base_url, "TOKEN": TOKENS[Role.ADMIN], "SOURCE_URL": shop_url}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert '"state":"COMPLETED"' in ran.stdout
    assert '"rows_in_source":100' in ran.stdout
    assert 'jivsbench_rows_total{direction="written"} 100.0' in ran.stdout
    bench.call("DELETE", "/data-sources/shop")


def test_the_page_names_every_route_and_metric(bench: Bench) -> None:
    """What the service offers and the page does not say would be found by nobody."""
    page = PAGE.read_text()
    paths = bench.call("GET", "/openapi.json").body["paths"]
    metrics = {line.split()[2] for line in bench.call("GET", "//metrics").body.splitlines() if line.startswith("# TYPE")}

    assert [path for path in paths if path.removeprefix("/api/v1").replace("{job_id}", "{id}") not in page] == []
    assert [name for name in metrics if not name.endswith("_created") and name not in page] == []
