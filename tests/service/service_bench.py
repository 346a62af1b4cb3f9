"""A running service as a test uses it: a small HTTP client, three tokens, and its folder."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import urllib3

from jivsbench.extract.credentials import format_new_key
from jivsbench.model.profile import OPTIMIZED, Profile
from jivsbench.service.auth import Role
from jivsbench.service.launcher import RunningService, start_service
from jivsbench.service.spec import ServiceSpec, SourceSpec, TokenSpec

TOKENS = {role: secrets.token_urlsafe(24) for role in Role}
CREDENTIAL_KEY = format_new_key().reveal()
ROWS = 2_000
WINDOW = [{"column": "id", "operator": ">=", "values": [101]}, {"column": "id", "operator": "<", "values": [1101]}]
# What these tests do not need is not loaded: a plugin that is broken is its own tests' business.
OTHERS = {"postgres": ("builtin", "redis", "security", "sqlite"), "sqlite": ("builtin", "postgres", "redis", "security")}
PLAIN = replace(OPTIMIZED, cache="memory")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def slug(self) -> str | None:
        return self.body.get("slug") if isinstance(self.body, dict) else None


@dataclass(frozen=True)
class Bench:
    """One running service."""

    service: RunningService
    output_dir: Path
    log: Path
    _pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=20, retries=False))

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        role: Role | None = Role.ADMIN,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; paths of the API without their prefix, other paths with a leading `//`."""
        sent = dict(headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {TOKENS[role]}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        url = self.service.base_url + (path[1:] if path.startswith("//") else f"/api/v1{path}")
        found = self._pool.request(method, url, body=content, headers=sent, timeout=40)
        kind = found.headers.get("content-type", "")
        decoded = json.loads(found.data) if "json" in kind and found.data else found.data.decode()
        return Answer(found.status, decoded, {name.lower(): value for name, value in found.headers.items()})

    def create(self, **request: object) -> str:
        """A new job over bench_rows; its id."""
        found = self.call("POST", "/extractions", {"source": "main", "table": "bench_rows", **request})
        assert found.status == 201, found
        return found.body["id"]

    def start(self, **request: object) -> str:
        """A new job that has been started; its id."""
        job_id = self.create(**request)
        assert self.call("POST", f"/extractions/{job_id}/start").status == 202
        return job_id

    def wait(self, job_id: str, wait_s: float = 20) -> dict[str, Any]:
        """The job once it has ended."""
        return self.call("GET", f"/extractions/{job_id}?wait_s={wait_s}").body

    def wait_for_state(self, job_id: str, state: str, timeout_s: float = 10) -> None:
        """Look until the job is in that state."""
        give_up_at_s = time.monotonic() + timeout_s
        while self.call("GET", f"/extractions/{job_id}").body["state"] != state:
            assert time.monotonic() < give_up_at_s
            time.sleep(0.02)


def build_spec(
    url: str, output_dir: Path, *, connector: str = "postgres", profile: Profile = PLAIN, **changes: object
) -> ServiceSpec:
    """A service over one source called `main`, with a token of each role."""
    spec = ServiceSpec(
        profile=profile,
        sources=(SourceSpec("main", connector, url),),
        output_dir=str(output_dir),
        tokens=tuple(TokenSpec(token, role) for role, token in TOKENS.items()),
        disabled_plugins=OTHERS[connector],
        credential_key=CREDENTIAL_KEY,
    )
    return replace(spec, **changes)


@contextmanager
def running(spec: ServiceSpec, folder: Path) -> Iterator[Bench]:
    """The service of that spec."""
    log = folder / "service.log"
    with start_service(spec, log) as service:
        yield Bench(service, Path(spec.output_dir), log)
