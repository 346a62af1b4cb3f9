"""A fast trivial HTTP target of the tests' own, with a planted stall or planted service times. Run as a process.

    python ping_service.py '{"stall_after": 200, "stall_s": 2}'

prints its port on a line of its own and serves until it is killed. GET /_facts gives the times that it measured itself.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Service:
    """What is planted, and what was measured here: (arrived, answered) of each request, monotonic ns; at most a million."""

    def __init__(
        self,
        *,
        stall_after: int = 0,
        stall_s: float = 0.0,
        spin_median_ms: float = 0.0,
        wait_median_ms: float = 0.0,
        sigma: float = 0.0,
    ) -> None:
        self.stall_after, self.stall_s = stall_after, stall_s
        self.spin_median_ms, self.wait_median_ms, self.sigma = spin_median_ms, wait_median_ms, sigma
        self.random = random.Random(1)
        self.requests = 0
        self.spans: deque[tuple[int, int]] = deque(maxlen=1_000_000)

    def work(self) -> None:
        """Take as long as was planted. It spins: to sleep for 0.2 ms takes 0.3 ms."""
        self.requests += 1
        if self.requests == self.stall_after:
            time.sleep(self.stall_s)
        if self.spin_median_ms:
            until_ns = time.monotonic_ns() + int(self.spin_median_ms * 1e6 * self.draw())
            while time.monotonic_ns() < until_ns:
                pass

    def wait_s(self) -> float:
        """How long the answer is to be kept back, while others are served."""
        return self.wait_median_ms / 1e3 * self.draw() if self.wait_median_ms else 0.0

    def draw(self) -> float:
        """A log-normal factor of median 1."""
        return self.random.lognormvariate(0.0, self.sigma)


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests have no body."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self.pending = (self.pending + data).split(b"\r\n\r\n")
        for request in requests:
            arrived_ns = time.monotonic_ns()
            if request.startswith(b"GET /_facts"):
                body = json.dumps({"requests": self.service.requests, "spans": list(self.service.spans)}).encode()
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                continue
            if b"/plain " in request:
                self.transport.write(ANSWER)
                continue
            self.service.work()
            wait_s = self.service.wait_s()
            if wait_s:
                asyncio.get_running_loop().call_later(wait_s, self.answer, arrived_ns)
            else:
                self.answer(arrived_ns)

    def answer(self, arrived_ns: int) -> None:
        """Answer one request, and note how long it took here: before it is sent, as the client may see it at once."""
        self.service.spans.append((arrived_ns, time.monotonic_ns()))
        self.transport.write(ANSWER)


async def main() -> None:
    """Serve what the first argument plants."""
    service = Service(**json.loads(sys.argv[1]))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(service), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the test reads it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
