"""How long one small extraction takes in a warm service, from its creation to its verified end, for one user and for several.

`python -m tests.benchmarks.service_speed [--rows 1000] [--users 1,10] [--seconds 10] [--profile optimized]`

Everything runs on this machine: PostgreSQL, Valkey, the service and the users. The users speak HTTP over bare sockets, since
a client library would take more of the cores than the service may lose. CPU is that of the service's process alone.
"""

import argparse
import json
import os
import random
import socket
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from jivsbench.app.data import load_dataset
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.app.targets import Target, start_target
from jivsbench.config import find_profile, load_settings
from jivsbench.dataset import TABLE, Dataset
from jivsbench.plugins import load_registry

_TABLE_ROWS = 100_000
_WARM_UP_S = 2.0
_READ_BYTES = 65_536


@dataclass
class User:
    """One connection that extracts again and again until it is told to stop."""

    host: str
    port: int
    token: str
    rows: int
    seed: int
    durations_s: list[float] = field(default_factory=list)
    failures: int = 0

    def run(self, source: str, until_s: float, measured_from_s: float) -> None:
        """Extract until the moment; what began before `measured_from_s` only warms up."""
        self._socket = socket.create_connection((self.host, self.port), timeout=30.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        draw = random.Random(self.seed)
        with self._socket:
            while (started_s := time.monotonic()) < until_s:
                is_done = self._extract(source, draw.randint(1, _TABLE_ROWS - self.rows))
                if started_s >= measured_from_s:
                    self.failures += not is_done
                    self.durations_s.append(time.monotonic() - started_s)

    def _extract(self, source: str, first: int) -> bool:
        window = [
            {"column": "id", "operator": ">=", "values": [first]},
            {"column": "id", "operator": "<", "values": [first + self.rows]},
        ]
        created = self._call("POST", "/extractions", {"source": source, "table": str(TABLE), "filters": window})
        job_id = created["id"]
        self._call("POST", f"/extractions/{job_id}/start")
        ended = self._call("GET", f"/extractions/{job_id}?wait_s=20")
        return ended["state"] == "COMPLETED" and ended["rows_written"] == self.rows

    def _call(self, method: str, path: str, body: object = None) -> dict:
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} /api/v1{path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + content)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        header, _, found = answer.partition(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2]) for line in header.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        while len(found) < length:
            found += self._receive()
        status = int(header.split(b" ", 2)[1])
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {found.decode()}")
        return json.loads(found)

    def _receive(self) -> bytes:
        part = self._socket.recv(_READ_BYTES)
        if not part:
            raise SystemExit("the service closed a connection in the middle of an answer")
        return part


def main() -> None:
    """Start everything, measure each number of users, print one line each."""
    options = _parse()
    settings = load_settings(None, {})
    registry = load_registry()
    with (
        tempfile.TemporaryDirectory(prefix="jivsbench-speed-") as folder,
        open_servers(settings, registry, lambda _step: None) as servers,
    ):
        load_dataset(registry, servers.owner, Dataset(_TABLE_ROWS), lambda _step: None)
        bench = Workbench(settings, registry, servers, lambda _step: None)
        profile = find_profile(settings, options.profile)
        with start_target(bench, profile, Path(folder), Path(folder) / "target.log") as target:
            print(f"{options.rows:,} rows a job; profile {profile.name}; load average {os.getloadavg()[0]:.1f}", flush=True)
            for users in map(int, options.users.split(",")):
                _measure(target, servers.source.name, users, options.rows, options.seconds)


def _measure(target: Target, source: str, count: int, rows: int, seconds: float) -> None:
    address = urlsplit(target.service.base_url)
    assert address.hostname
    assert address.port
    users = [User(address.hostname, address.port, target.service.admin_token, rows, seed) for seed in range(count)]
    process = psutil.Process(target.service.pid)
    from_s = time.monotonic() + _WARM_UP_S
    threads = [threading.Thread(target=user.run, args=(source, from_s + seconds, from_s)) for user in users]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, from_s - time.monotonic()))
    before_s = sum(process.cpu_times()[:2])
    for thread in threads:
        thread.join()
    cpu_s = sum(process.cpu_times()[:2]) - before_s
    durations_s = sorted(duration for user in users for duration in user.durations_s)
    jobs, failures = len(durations_s), sum(user.failures for user in users)
    p50_ms, p95_ms = (statistics.quantiles(durations_s, n=100)[part - 1] * 1000 for part in (50, 95))
    print(
        f"{count:3d} users: {jobs / seconds:6.1f} jobs/s, p50 {p50_ms:.1f} ms, p95 {p95_ms:.1f} ms, "
        f"{cpu_s / jobs * 1000:.2f} ms of the service's CPU a job, {failures} of {jobs} failed",
        flush=True,
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--users", default="1,10")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--profile", default="optimized")
    return parser.parse_args()


if __name__ == "__main__":
    main()
