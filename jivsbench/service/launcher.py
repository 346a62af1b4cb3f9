"""Starts a service as a child process and waits until it accepts requests."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

from jivsbench.children import Child, start_python_child
from jivsbench.errors import EnvironmentProblem, JivsbenchError
from jivsbench.service.auth import Role
from jivsbench.service.spec import ServiceSpec, TokenSpec, format_spec

_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process of a service is started with, besides its spec."""

    python: Path | None = None
    """Interpreter of another environment; None: this one."""
    variables: tuple[tuple[str, str], ...] = ()
    """Added to the environment."""
    umask: int | None = None


HERE: Final = Surroundings()


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that accepts requests. `base_url` is the root: the API is under `/api/v1`."""

    base_url: str
    pid: int
    admin_token: str
    _child: Child

    @property
    def is_alive(self) -> bool:
        """True while its process runs."""
        return self._child.is_alive

    def stop(self) -> int:
        """End it within 5 s. Returns its exit status; may be called twice."""
        return self._child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"RunningService({self.base_url!r}, pid={self.pid})"


def start_service(spec: ServiceSpec, log: Path, timeout_s: float = 20.0, surroundings: Surroundings = HERE) -> RunningService:
    """Start a service; its log is appended to `log`.

    Without a token of role ADMIN in the spec, it gets a new one.

    Raises the error that the child met, by its slug, and EnvironmentProblem when it ends or stays silent.
    """
    admin_token = next((token.token for token in spec.tokens if token.role is Role.ADMIN), None)
    if admin_token is None:
        admin_token = secrets.token_urlsafe(_TOKEN_BYTES)
        spec = replace(spec, tokens=(*spec.tokens, TokenSpec(admin_token, Role.ADMIN)))
    child = start_python_child(
        "service",
        "jivsbench.service",
        log=log,
        message=format_spec(spec),
        python=surroundings.python,
        environment=dict(surroundings.variables),
        umask=surroundings.umask,
    )
    try:
        answer = json.loads(_read_answer(child, timeout_s, log))
        if "error" in answer:
            _raise_error(answer["error"]["slug"], answer["error"]["message"])
        return RunningService(answer["base_url"], answer["pid"], admin_token, child)
    except BaseException:
        child.stop()
        raise


def _read_answer(child: Child, timeout_s: float, log: Path) -> bytes:
    try:
        return child.read_line(timeout_s)
    except TimeoutError as exc:
        raise EnvironmentProblem(f"the extraction service did not accept requests within {timeout_s:g} s: see {log}") from exc
    except EOFError as exc:
        raise EnvironmentProblem(f"the extraction service ended before it accepted requests: see {log}") from exc


def _raise_error(slug: str, message: str) -> NoReturn:
    kind = next((kind for kind in _list_errors(JivsbenchError) if kind.slug == slug), EnvironmentProblem)
    raise kind(message)


def _list_errors(kind: type[JivsbenchError]) -> Iterator[type[JivsbenchError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _list_errors(child)
