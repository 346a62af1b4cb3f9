"""Locust's own web page: it shows the load that runs, and to touch the load there makes the run invalid."""

import socket
from contextlib import suppress

import pytest
import urllib3

from jivsbench.errors import InvalidRunError, PortInUseError
from jivsbench.load.launcher import run_load
from jivsbench.model.scenario import Arrival, Stage, WorkloadSpec
from tests.machine import free_port

PING = WorkloadSpec("ping", "bench_rows", 1)
LONG = (Stage(30.0, is_step=True, rate_per_s=50),)


@pytest.mark.no_cover
def test_the_page_shows_the_load_and_a_touch_ends_the_run(plant_ping, load, tmp_path) -> None:
    """Requests, names and the running state are on Locust's page while the load runs; its stop button makes the run invalid."""
    port, seen = free_port(), []
    spec = load(plant_ping().arm(), workload=PING, arrival=Arrival.RATE, stages=LONG, page_port=port)

    def look(progress) -> None:
        url = f"http://127.0.0.1:{port}"
        if progress.elapsed_s > 1.5:
            seen.append(urllib3.request("GET", f"{url}/stats/requests", timeout=5).json())
            seen.append(urllib3.request("GET", f"{url}/", timeout=5).data.decode())
            with suppress(urllib3.exceptions.HTTPError):
                # The load ends while it still answers.
                urllib3.request("POST", f"{url}/stop", timeout=5, retries=False)

    with pytest.raises(InvalidRunError, match="users were started or stopped on Locust's page"):
        run_load(spec, tmp_path, look)

    figures, page = seen[:2]
    ping = next(row for row in figures["stats"] if row["name"] == "ping")
    assert ping["num_requests"] >= 50
    assert ping["num_failures"] == 0
    assert figures["state"] == "running"
    assert figures["user_count"] >= 1
    assert "Locust" in page


def test_a_page_whose_port_is_taken_is_named(plant_ping, load, tmp_path) -> None:
    """Said before anything is sent, with the option that helps."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        spec = load(plant_ping().arm(), workload=PING, page_port=taken.getsockname()[1])

        with pytest.raises(PortInUseError, match=r"Locust's page was to be on 127\.0\.0\.1:\d+, .*--ui-port"):
            run_load(spec, tmp_path, lambda _progress: None)
