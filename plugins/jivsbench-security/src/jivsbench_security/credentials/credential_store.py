"""SEC-018: the credential store. What is kept of a URL is of no use to whoever can read it, and none to whoever can change it.

The check reads and writes the target's job store as a file. Its own servers say whether the target used what it found there.
"""

import random
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.credentials.ciphertexts import Tampering, find_encodings, list_tamperings, read_nonce
from jivsbench_security.extractions import read_slug
from jivsbench_security.hostile_check import CountedSession, HostileCheck
from jivsbench_security.servers.certificates import SERVER_ADDRESS, Certificates
from jivsbench_security.servers.fronts import Line
from jivsbench_security.servers.postgres_front import PostgresFront

_STORE: Final = "**/*.sqlite3"
_CREATED: Final = 201
_OK: Final = 200
_REFUSED: Final = "credential"
_FLIPS: Final = 40
_SEALINGS: Final = 20
_SEALINGS_FULL: Final = 3000
_HOW_ALTERED: Final = "POST /api/v1/data-sources, change `url` of its row in the job store, POST /api/v1/data-sources/{name}/test"
_HOW_SEALED: Final = "PUT /api/v1/data-sources/{name} with one URL, often"
_HOW_STORED: Final = "POST /api/v1/data-sources, then search the output folder"
_LARGEST_FILE_BYTES: Final = 256 << 20
_PATIENCE_S: Final = 30.0


class CredentialStoreCheck(HostileCheck):
    """Adds data sources, alters what is stored of them, and lets the target connect."""

    id = "SEC-018"
    title = "Stored URLs: encrypted, each for its own source, and not used when a bit of them is another"
    severity = Severity.HIGH
    cwe = ("CWE-327", "CWE-329", "CWE-323", "CWE-354", "CWE-522")
    # Encryption that is bound to nothing: a ciphertext may be moved to another source.
    vulnerable = TargetVariant("vulnerable-vault", plugins=("jivsbench.testing.vulnerable.vault",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a target that keeps its job store in its output folder."""
        store = next(filter(_holds_sources, context.output_dir.glob(_STORE)), None)
        if store is None:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, "the job store is not a file in the target's output folder")
        with _Session(self, context, store).prepared() as session:
            problem = session.find_obstacle()
            if problem:
                return self._leave_out(context, CheckOutcome.NOT_TESTED, problem)
            return self._attack(context, session, session.attack)


class _Source:
    """A data source of the check's, and the server that it leads to."""

    def __init__(self, front: PostgresFront) -> None:
        self.front = front
        self.name = f"jivsbench-{secrets.token_hex(4)}"
        self.password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return self.write_url("shop")

    def write_url(self, database: str) -> str:
        """The same server and password, for another database."""
        return f"postgresql://reader:{self.password}@{SERVER_ADDRESS}:{self.front.port}/{database}"

    @property
    def visits(self) -> int:
        """How often its server has got its password."""
        return self.front.count_heard(self.password, Line.TRUSTED)


class _Session(CountedSession):
    """One run against one target."""

    def __init__(self, check: CredentialStoreCheck, context: CheckContext, store: Path) -> None:
        super().__init__(check)
        self._context = context
        self._store = store
        self._choice = random.Random(context.seed)  # noqa: S311 - repeatable, not secret
        self._sources: tuple[_Source, ...] = ()
        self._refusal = 0

    @contextmanager
    def prepared(self) -> Iterator["_Session"]:
        """With three sources: one that is used, one to be altered, and one that lends its ciphertext."""
        certificates = Certificates.make(self._context.make_folder())
        with ExitStack() as stack:
            self._sources = tuple(_Source(stack.enter_context(PostgresFront(Line.TRUSTED, certificates))) for _ in range(3))
            try:
                self._refusal = next((status for one in self._sources if (status := self._send(one)) != _CREATED), 0)
                yield self
            finally:
                for one in self._sources:
                    self._context.target.call("DELETE", f"/data-sources/{one.name}")

    def find_obstacle(self) -> str:
        """Why the target takes no source of the check's; empty when it does."""
        return f"the target takes no data source of the check's (status {self._refusal})" if self._refusal else ""

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} alterations, encryptions and searches of what is stored, {len(self.findings)} of them a hole"

    def run_benign(self) -> int:
        """1 when a source that nobody altered is used: before, the first one; afterwards the one that had been altered."""
        source = self._sources[0] if not self.attempted else self._sources[1]
        before = source.visits
        self._test(source)
        return int(source.visits > before)

    def attack(self) -> None:
        """Alter, exchange, encrypt again and again, and search."""
        self._tamper()
        self._exchange_names()
        self._seal_often()
        self._search()

    def _tamper(self) -> None:
        victim, lender = self._sources[1:]
        sound, lent = self._read(victim), self._read(lender)
        # With another password: the one that is searched for must not come from the check itself.
        decoy = lender.url.replace(lender.password, secrets.token_hex(16))
        flips = None if self._context.is_full else _FLIPS
        try:
            for tampering in list_tamperings(sound, lent, decoy, self._choice, flips):
                self._write(victim, tampering.text)
                self._judge(victim, tampering)
                if self.is_settled:
                    break
        finally:
            self._write(victim, sound)

    def _judge(self, victim: _Source, tampering: Tampering) -> None:
        before = self._count_connections()
        slug = self._test(victim)
        is_used = self._count_connections() > before
        self.tally.count(is_met=is_used or slug == _REFUSED)
        if is_used:
            self.add("an altered URL was used", f"the target connected with {tampering.what}", _HOW_ALTERED)
            # It now remembers what it used, until it is told anew.
            self._update(victim, victim.url)

    def _exchange_names(self) -> None:
        """The rows of two sources get each other's name."""
        victim, lender = self._sources[1:]
        names = (victim.name, lender.name)
        self._rename(*names)
        try:
            self._judge(victim, Tampering("the row of another source, under its name", ""))
        finally:
            self._rename(*names)

    def _seal_often(self) -> None:
        """Two URLs in turn, sent again and again: what does not change need not be encrypted anew."""
        lender, nonces, sealed = self._sources[2], set(), 0
        for number in range(_SEALINGS_FULL if self._context.is_full else _SEALINGS):
            is_taken = self._update(lender, lender.write_url(f"shop{number % 2}")) == _OK
            self.tally.count(is_met=is_taken)
            if is_taken:
                sealed += 1
                nonces.add(read_nonce(self._read(lender)))
        if len(nonces) < sealed:
            self.add("a nonce came twice", f"{sealed} encryptions have {len(nonces)} nonces", _HOW_SEALED)

    def _search(self) -> None:
        """No password stands in any file of the target's, in any usual encoding."""
        wanted = [form for one in self._sources for form in find_encodings(one.password)]
        files = [path for path in self._context.output_dir.rglob("*") if path.is_file() and not path.is_symlink()]
        for path in (*files, self._context.log):
            try:
                with path.open("rb") as stream:
                    content = stream.read(_LARGEST_FILE_BYTES + 1)
            except FileNotFoundError:
                # Gone since: nothing can be found in it.
                continue
            except OSError:
                self.tally.count(is_met=False)
                continue
            self.tally.count(is_met=len(content) <= _LARGEST_FILE_BYTES)
            if any(form in content for form in wanted):
                self.add("a password stands in a file", f"{path.name} holds the password of a stored source", _HOW_STORED)

    def _send(self, source: _Source) -> int:
        return self._context.target.call(
            "POST", "/data-sources", {"name": source.name, "connector": "postgres", "url": source.url}
        ).status

    def _update(self, source: _Source, url: str) -> int:
        body = {"connector": "postgres", "url": url}
        return self._context.target.call("PUT", f"/data-sources/{source.name}", body).status

    def _test(self, source: _Source) -> str:
        return read_slug(self._context.target.call("POST", f"/data-sources/{source.name}/test")) or ""

    def _count_connections(self) -> int:
        return sum(len(one.front.met) for one in self._sources)

    def _read(self, source: _Source) -> str:
        with self._opened() as database:
            row = database.execute("SELECT url FROM data_sources WHERE is_active AND name = ?", [source.name]).fetchone()
        if row is None or not row[0]:
            raise InvalidRunError("the job store holds nothing of a data source that was just added: is it the target's own?")
        return str(row[0])

    def _write(self, source: _Source, text: str) -> None:
        with self._opened() as database:
            database.execute("UPDATE data_sources SET url = ? WHERE is_active AND name = ?", [text, source.name])

    def _rename(self, left: str, right: str) -> None:
        with self._opened() as database:
            for old, new in ((left, f"{left}-away"), (right, left), (f"{left}-away", right)):
                database.execute("UPDATE data_sources SET name = ? WHERE is_active AND name = ?", [new, old])

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The store, in a transaction. Raises InvalidRunError when that is not possible: the target writes into it as well."""
        try:
            with closing(sqlite3.connect(self._store, timeout=_PATIENCE_S)) as database, database:
                yield database
        except sqlite3.Error as problem:
            raise InvalidRunError(f"the target's job store cannot be altered now ({type(problem).__name__})") from problem


def _holds_sources(file: Path) -> bool:
    """True for a job store; the output folder may hold databases of other kinds."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as database:
            return bool(database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'data_sources'").fetchone()[0])
    except sqlite3.Error:
        return False
