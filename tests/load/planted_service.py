"""A small real service with the API of the extraction service, whose times and failures are planted. Run as a process.

    python planted_service.py '{"call_ms": 20, "job_ms": 50}'

prints its port on a line of its own and serves until it is killed. GET /_facts says what it was asked.
"""

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

METRICS = """\
jivsbench_pool_connections{source="a",state="active"} 3
jivsbench_pool_connections{source="a",state="idle"} 1
jivsbench_pool_connections{source="b",state="active"} 2
jivsbench_pool_waiting{source="a"} 4
jivsbench_cache_lookups_total{result="hit"} 90
jivsbench_cache_lookups_total{result="miss"} 8
jivsbench_cache_lookups_total{result="error"} 2
"""


@dataclass(frozen=True)
class Plant:
    """What goes wrong, and how long things take. `every` = n: the n-th, 2n-th ... request of its kind; 0: never."""

    call_ms: float = 0.0
    slow_call_ms: float = 0.0
    slow_every: int = 0
    job_ms: float = 0.0
    lose_row_every: int = 0
    fail_every: int = 0
    cancel_every: int = 0
    create_500_every: int = 0
    create_422_every: int = 0
    start_503_every: int = 0
    wait_500_every: int = 0
    cut_statistics_every: int = 0
    statistics_ms: float = 0.0
    never_ends: bool = False
    port: int = 0
    """Where to listen; 0: wherever there is room."""


@dataclass
class Job:
    number: int
    rows: int
    state: str = "PENDING"
    ends_s: float = 0.0


@dataclass
class Service:
    plant: Plant
    jobs: dict[str, Job] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    windows: list[object] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, operation: str) -> int:
        with self.lock:
            self.requests[operation] = self.requests.get(operation, 0) + 1
            return self.requests[operation]


def sleep_until(moment_s: float) -> None:
    """Never early, and late by one wake-up: spinning would hold the interpreter's lock against all other requests."""
    while (left_s := moment_s - time.perf_counter()) > 0:
        time.sleep(left_s)


def is_due(number: int, every: int) -> bool:
    """True for the every-th, twice every-th ... of a kind."""
    return bool(every) and number % every == 0


class Handler(BaseHTTPRequestHandler):
    server: "Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass

    def do_GET(self) -> None:
        self.handle_request(None)

    def do_POST(self) -> None:
        self.handle_request(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def handle_request(self, body: bytes | None) -> None:
        arrived_ns = time.monotonic_ns()
        self.route(body, time.perf_counter())
        self.wfile.flush()
        with self.server.service.lock:
            self.server.service.spans.append((arrived_ns, time.monotonic_ns()))

    def route(self, body: bytes | None, arrived_s: float) -> None:
        url = urlsplit(self.path)
        match url.path.strip("/").split("/"):
            case ["_facts"]:
                facts = {
                    "requests": self.server.service.requests,
                    "windows": self.server.service.windows,
                    "jobs": len(self.server.service.jobs),
                }
                self.answer(200, facts | {"spans": self.server.service.spans})
            case ["metrics"]:
                self.answer(200, None, METRICS)
            case ["api", "v1", "extractions"]:
                self.create(json.loads(body or b"{}"), arrived_s)
            case ["api", "v1", "extractions", job, "start"]:
                self.start(self.server.service.jobs[job], arrived_s)
            case ["api", "v1", "extractions", job, "statistics"]:
                self.statistics(self.server.service.jobs[job], arrived_s)
            case ["api", "v1", "extractions", job]:
                self.wait(self.server.service.jobs[job], float(parse_qs(url.query).get("wait_s", ["0"])[0]))
            case _:
                self.answer(404, {"slug": "unknown", "status": 404})

    def create(self, request: dict, arrived_s: float) -> None:
        number = self.server.service.count("create")
        values = [condition["values"][0] for condition in request["filters"]]
        self.server.service.windows.append(values)
        slow = is_due(number, self.server.service.plant.slow_every)
        sleep_until(arrived_s + (self.server.service.plant.slow_call_ms if slow else self.server.service.plant.call_ms) / 1000)
        if is_due(number, self.server.service.plant.create_500_every):
            self.answer(500, {"slug": "broken", "status": 500})
        elif is_due(number, self.server.service.plant.create_422_every):
            self.answer(422, {"slug": "guard-refused", "status": 422})
        else:
            job = Job(number, values[1] - values[0] if values else 1000)
            self.server.service.jobs[str(number)] = job
            self.answer(201, self.describe(job))

    def start(self, job: Job, arrived_s: float) -> None:
        self.server.service.count("start")
        sleep_until(arrived_s + self.server.service.plant.call_ms / 1000)
        if is_due(job.number, self.server.service.plant.start_503_every):
            self.answer(503, {"slug": "queue-full", "status": 503})
            return
        job.state, job.ends_s = "RUNNING", time.perf_counter() + self.server.service.plant.job_ms / 1000
        self.answer(202, self.describe(job))

    def wait(self, job: Job, wait_s: float) -> None:
        if is_due(self.server.service.count("wait"), self.server.service.plant.wait_500_every):
            self.answer(500, {"slug": "broken", "status": 500})
            return
        if self.server.service.plant.never_ends:
            time.sleep(wait_s)
            self.answer(200, self.describe(job))
            return
        sleep_until(min(job.ends_s, time.perf_counter() + wait_s))
        if time.perf_counter() >= job.ends_s:
            kinds = (("FAILED", self.server.service.plant.fail_every), ("CANCELLED", self.server.service.plant.cancel_every))
            job.state = next((state for state, every in kinds if is_due(job.number, every)), "COMPLETED")
        self.answer(200, self.describe(job))

    def statistics(self, job: Job, arrived_s: float) -> None:
        number = self.server.service.count("statistics")
        if is_due(number, self.server.service.plant.cut_statistics_every):
            self.close_connection = True
            return
        sleep_until(arrived_s + (self.server.service.plant.statistics_ms or self.server.service.plant.call_ms) / 1000)
        written = job.rows - is_due(job.number, self.server.service.plant.lose_row_every)
        self.answer(200, {"rows_read": job.rows, "rows_written": written, "rows_in_source": job.rows})

    def describe(self, job: Job) -> dict:
        error = {"slug": "verification", "message": "m"} if job.state == "FAILED" else None
        rows = job.rows if job.state == "COMPLETED" else 0
        state = {"id": str(job.number), "state": job.state, "rows_read": rows, "rows_written": rows}
        return state | {"error": error}

    def answer(self, status: int, body: object, text: str = "") -> None:
        content = (text or json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, service: Service) -> None:
        super().__init__(("127.0.0.1", service.plant.port), Handler)
        self.service = service

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what some tests do."""


def main() -> None:
    """Serve what the first argument plants."""
    server = Server(Service(Plant(**json.loads(sys.argv[1]))))
    print(server.server_port, flush=True)  # noqa: T201 - the test reads it
    server.serve_forever()


if __name__ == "__main__":
    main()
