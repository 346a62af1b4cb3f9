"""SEC-018 against stores of the test's own: sound ones pass, and a target that takes no update is no hole."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import cast

import psycopg
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jivsbench.api import CheckContext, Response
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult
from jivsbench_security.credentials.ciphertexts import join, split
from jivsbench_security.credentials.credential_store import CredentialStoreCheck

CREDENTIAL = Response(503, {"slug": "credential"})


class SealingTarget:
    """Keeps URLs as the service does, sealed for their source, and connects with what it finds."""

    def __init__(self, folder: Path, *, takes_updates: bool = True, last_test: int = 1_000_000) -> None:
        self.output_dir, self.log = folder / "outputs", folder / "log"
        self.log.touch()
        (self.output_dir / ".jobs").mkdir(parents=True)
        self.store = self.output_dir / ".jobs" / "jobs.sqlite3"
        # Another database, which comes first by its name.
        with closing(sqlite3.connect(self.output_dir / ".jobs" / "a.sqlite3")) as other, other:
            other.execute("CREATE TABLE something (x)")
        self.execute("CREATE TABLE data_sources (name TEXT, url TEXT, is_active INTEGER)")
        self._folder, self._takes_updates, self._left = folder, takes_updates, last_test
        self._cipher = AESGCM(os.urandom(32))
        self.target, self.is_full, self.seed, self.pid = self, False, 7, os.getpid()

    def make_folder(self) -> Path:
        """As a context does."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def call(self, method: str, path: str, body: object = None) -> Response:
        """The API of data sources."""
        name = path.removeprefix("/data-sources").strip("/").partition("/")[0]
        if path.endswith("/test"):
            return self._test(name)
        if method == "DELETE":
            return Response(204, None)
        if method == "PUT" and not self._takes_updates:
            return Response(503, {"slug": "shutting-down"})
        given = cast("dict[str, str]", body)
        name = name or given["name"]
        nonce = os.urandom(12)
        sealed = join("v1:", nonce + self._cipher.encrypt(nonce, given["url"].encode(), name.encode()))
        self.execute("DELETE FROM data_sources WHERE name = ?", name)
        self.execute("INSERT INTO data_sources VALUES (?, ?, 1)", name, sealed)
        return Response(201 if method == "POST" else 200, {})

    def _test(self, name: str) -> Response:
        self._left -= 1
        (sealed,) = self.execute("SELECT url FROM data_sources WHERE name = ?", name)[0]
        raw = split(sealed)[1]
        try:
            url = self._cipher.decrypt(raw[:12], raw[12:], name.encode()).decode()
        except (InvalidTag, ValueError):
            return CREDENTIAL
        if self._left >= 0:
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(url, connect_timeout=5)
        return Response(502, {"slug": "access-denied"})

    def execute(self, statement: str, *values: str) -> list[tuple[str]]:
        """One statement in the store."""
        with closing(sqlite3.connect(self.store, timeout=0.1)) as database, database:
            return database.execute(statement, values).fetchall()


def run(target: SealingTarget) -> CheckResult:
    """The check against it."""
    return CredentialStoreCheck().run(cast("CheckContext", target))


def test_a_sound_store_passes(tmp_path: Path) -> None:
    """Found beside another database; every alteration is refused, and it is of use afterwards."""
    result = run(SealingTarget(tmp_path))

    assert (result.outcome, result.benign_before, result.benign_after) == (CheckOutcome.PASS, 1, 1)
    assert result.attempted == result.reached > 70


def test_an_update_that_is_not_taken_repeats_no_nonce(tmp_path: Path) -> None:
    """The row is as it was; nothing was encrypted."""
    with pytest.raises(InvalidRunError, match=r"20 of \d+"):
        run(SealingTarget(tmp_path, takes_updates=False))


def test_a_target_that_connects_no_more_is_seen(tmp_path: Path) -> None:
    """That its altered source was of use before says nothing about afterwards."""
    assert run(SealingTarget(tmp_path, last_test=1)).benign_after == 0


def test_a_store_that_is_busy_is_no_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes into it for longer than the check waits."""
    monkeypatch.setattr("jivsbench_security.credentials.credential_store._PATIENCE_S", 0.1)
    target = SealingTarget(tmp_path)
    holder = sqlite3.connect(target.store, isolation_level=None, check_same_thread=False)
    tested = target.call

    def hold(method: str, path: str, body: object = None) -> Response:
        if path.endswith("/test") and not holder.in_transaction:
            answer = tested(method, path, body)
            holder.execute("BEGIN EXCLUSIVE")
            return answer
        return Response(503, None) if holder.in_transaction else tested(method, path, body)

    monkeypatch.setattr(target, "call", hold)
    with closing(holder), pytest.raises(InvalidRunError, match="cannot be altered"):
        run(target)
