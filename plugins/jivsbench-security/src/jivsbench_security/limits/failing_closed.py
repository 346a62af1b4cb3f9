"""SEC-029: failing closed. With a guard, the audit trail, the key store or a policy broken, no row is extracted."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from jivsbench.api import Response, TargetChanges, TargetVariant
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.model.finding import Severity
from jivsbench_security.extractions import Ending, read_slug
from jivsbench_security.hostile_check import ask_profile
from jivsbench_security.limits.source_check import SourceCheck, SourceSession
from jivsbench_security.second_sources import second_source

BREAKABLE: Final = TargetChanges(plugins=("jivsbench.testing.breaking_guard",))
"""A target whose guards break for requests that say so, and are as ever for all others."""
_ROWS: Final = "SELECT n AS id FROM pg_catalog.generate_series(1, 7) AS n"
_CREATED: Final = 201
_ACCEPTED: Final = 202
_UNAVAILABLE: Final = 503
_INTERNAL: Final = frozenset({"internal", None})
_ERRORS: Final = range(400, 600)
_ELSEWHERE_STATUSES: Final = frozenset({401, 403, 404, 408, 409, 429})
_ELSEWHERE: Final = frozenset(
    {
        *("pool-timeout", "deadline", "cancelled", "queue-full", "shutting-down", "service-restarted"),
        *("source-unreachable", "access-denied", "missing-object", "unknown-job", "job-state"),
    }
)
"""Ends that a job or a request has for other reasons than a broken control: they show nothing."""
_UNREADABLE_LIST: Final = frozenset({"config", "plugin-load"})


class _Session(SourceSession):
    def attack(self) -> None:
        if ask_profile(self.target).get("guards"):
            self._break_guard()
        else:
            self.remarks.append("no guard is in force that could break")
        self._break_trail()
        self._break_store()
        if self.target.is_full:
            # A start costs more than all that comes before it.
            self._break_lock()

    def _break_guard(self) -> None:
        """At the creation of a job, and between its creation and its start."""
        at_once = self.owner.make_view("guard_breaks_at_once", _ROWS)
        created = self.extractions.create(self.build_body(at_once))
        self._judge_answer("a guard that breaks at creation", created, self.build_body(at_once))
        later = self.owner.make_view("guard_breaks_later", _ROWS)
        mark = self.target.wire.mark() if self.target.wire else 0
        job_id = self.extractions.prepare(self.build_body(later))
        self._judge_ending("a guard that breaks before the start", self.extractions.run_prepared(job_id), self.build_body(later))
        if self.target.wire is None or not self.target.wire.is_complete:
            self.remarks.append("nobody saw what the target sent to its server with its guard broken")
        elif any(later.encode() in message.payload for message in self.target.wire.since(mark)):
            told = "a guard that breaks before the start: a statement about the table reached the server all the same"
            self.tell("rows were asked for although a control is broken", told, self.build_body(later))

    def _break_trail(self) -> None:
        """Somebody else writes into the audit trail; afterwards it is as it was, and the job is carried out."""
        view = self.owner.make_view("trail", _ROWS)
        job_id = self.extractions.prepare(self.build_body(view))
        with spoil_trail(self.target.output_dir):
            self._judge_answer(
                "a broken audit trail, at creation", self.extractions.create(self.build_body(view)), self.build_body(view)
            )
            self._judge_answer("a broken audit trail, at the start", self.extractions.start(job_id), self.build_body(view))
            if (ending := self.extractions.look(job_id)) is not None:
                self._judge_ending("a broken audit trail", ending, self.build_body(view))
        if not self.extractions.run_prepared(job_id).is_completed:
            raise InvalidRunError("the audit trail was made whole again, and the target still carried nothing out")

    def _break_store(self) -> None:
        """The stored URL of one source is altered, and the list of tables of another."""
        view = self.owner.make_view("store", _ROWS)
        store = self.target.output_dir / ".jobs" / "jobs.sqlite3"
        if not store.exists():
            self.remarks.append("the key store is on a server, where this check does not break it")
            return
        broken = {"url": "an altered URL in the key store", "tables": "a list of tables that cannot be read"}
        for column, meaning in broken.items():
            with second_source(self.target, f"{self.owner.token}_{column}", tables=(view,)) as name:
                spoil_store(store, name, column)
                body = {"source": name, "table": view}
                created = self.extractions.create(body)
                if created.status == _CREATED:
                    job_id = str(created.body["id"])  # type: ignore[index]
                    self._judge_ending(meaning, self.extractions.run_prepared(job_id), body)
                else:
                    self._judge_answer(meaning, created, body)

    def _break_lock(self) -> None:
        """A target is started with a list of allowed plugins that cannot be read."""
        lock = self.target.make_folder() / "plugins.lock"
        lock.write_text('[[plugin]]\nname = "sqlg')
        try:
            with self.target.launch(replace(BREAKABLE, plugins_lock=lock)):
                told = "a list of allowed plugins that cannot be read: the target started all the same"
                self.add("a target starts although a control is broken", told, "start with a plugins.lock that is cut off")
            self.tally.count(is_met=True)
        except JivsbenchError as refusal:
            # Whoever refuses for want of a port, or did not come up in time, has not said no to the list.
            self.tally.count(is_met=False, is_refused=refusal.slug in _UNREADABLE_LIST)

    def _judge_answer(self, broken: str, answer: Response, request: Mapping[str, object]) -> None:
        """A request that must be refused, with an error that has a name."""
        slug, is_accepted = read_slug(answer), answer.status in (_CREATED, _ACCEPTED)
        is_about_it = answer.status in _ERRORS and answer.status not in _ELSEWHERE_STATUSES and slug not in _ELSEWHERE
        self.tally.count(is_met=is_accepted, is_refused=is_about_it)
        if is_accepted:
            self.tell("a request is carried out although a control is broken", f"{broken}: {answer.status}", request)
        elif is_about_it and slug in _INTERNAL:
            told = f"{broken}: the answer was {answer.status} {slug}"
            self.tell("a broken control is told without a typed error", told, request, Severity.MEDIUM)

    def _judge_ending(self, broken: str, ending: Ending, request: Mapping[str, object]) -> None:
        """A job that must fail and leave no file."""
        is_about_it = ending.slug not in _ELSEWHERE and (
            ending.job is not None or ending.is_refused or ending.status == _UNAVAILABLE
        )
        self.tally.count(is_met=ending.is_completed, is_refused=is_about_it and not ending.is_completed)
        folder = self.target.output_dir / str((ending.job or {}).get("id"))
        files = sorted(file.name for file in folder.glob("*")) if folder.is_dir() else []
        if ending.is_completed or files:
            told = f"{broken}: the job ended {(ending.job or {}).get('state')} and left {len(files)} files"
            self.tell("rows were extracted although a control is broken", told, request)
        elif is_about_it and not ending.is_typed:
            told = f"{broken}: the job ended with {ending.slug}"
            self.tell("a broken control is told without a typed error", told, request, Severity.MEDIUM)


class FailClosedCheck(SourceCheck):
    """Breaks one control after another, and asks for rows."""

    id = "SEC-029"
    title = "Failing closed: with a control broken, no row is extracted, and the error says so"
    severity = Severity.HIGH
    cwe = ("CWE-636", "CWE-703", "CWE-755")
    changes = BREAKABLE
    # A guard that breaks is passed over.
    vulnerable = TargetVariant("vulnerable-lenient", plugins=("jivsbench.testing.vulnerable.lenient_review",))
    session = _Session


@contextmanager
def spoil_trail(output_dir: Path) -> Iterator[None]:
    """One foreign byte at the end of the audit trail, for as long as the block lasts. Raises InvalidRunError without one."""
    trails = sorted((output_dir / ".audit").glob("trail-*.jsonl"))
    if len(trails) != 1:
        raise InvalidRunError(f"the target keeps {len(trails)} audit trails in its output folder: one was expected")
    size_bytes = trails[0].stat().st_size
    with trails[0].open("ab") as trail:
        trail.write(b"x")
    try:
        yield
    finally:
        with trails[0].open("r+b") as trail:
            trail.truncate(size_bytes)


def spoil_store(store: Path, source: str, column: str) -> None:
    """Alter what is stored of a source: one character of its encrypted URL, or its list of tables, which loses its end."""
    with closing(sqlite3.connect(store, timeout=5.0)) as database, database:
        row = database.execute(f"SELECT {column} FROM data_sources WHERE name = ? AND is_active", (source,)).fetchone()  # noqa: S608 - one of two names
        if row is None:
            raise InvalidRunError("the job store holds nothing of a data source that the target has just taken")
        (text,) = row
        spoilt = text[:-1] if column == "tables" else swap_character(text, len(text) // 2)
        database.execute(f"UPDATE data_sources SET {column} = ? WHERE name = ? AND is_active", (spoilt, source))  # noqa: S608


def swap_character(text: str, place: int) -> str:
    """The text with another letter in one place."""
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
