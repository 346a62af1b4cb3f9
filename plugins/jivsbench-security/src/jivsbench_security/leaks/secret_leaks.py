"""SEC-019: a target is given secrets that nobody else has, succeeds and fails with them, and tells none of them anywhere."""

import base64
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import redis

from jivsbench.api import CheckContext, TargetChanges, TargetVariant
from jivsbench.errors import (
    ConfigError,
    DestinationError,
    InvalidRunError,
    JivsbenchError,
    SourceUnreachableError,
    UnknownNameError,
)
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.secret import Secret
from jivsbench_security.exchanges import API, Client, Exchange
from jivsbench_security.extractions import ENDS
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported, started
from jivsbench_security.leaks import crashing_connector
from jivsbench_security.leaks.canaries import Canary, draw_canary, find_leaks, watch_secret
from jivsbench_security.leaks.failures import list_bad_urls
from jivsbench_security.leaks.leak_surfaces import read_activity, read_cache, read_files, read_process
from jivsbench_security.leaks.load_surfaces import read_load
from jivsbench_security.servers.telltale_server import TelltaleServer

_KEY_BYTES: Final = 32
_QUERY_TIMEOUT_S: Final = 1.0
_SLOW: Final = "SELECT count(*) AS n FROM {t} a, {t} b, {t} c, {t} d, {t} e"
_SOURCE: Final = "leak-"
_BAD_STARTS: Final = (
    "postgresql://ann:PASSWORD w@127.0.0.1:1/nothing",
    "postgresql://ann:PASSWORD#x@127.0.0.1:1/nothing",
    "postgresql://127.0.0.1:1/nothing?password=PASSWORD",
    "postgresql://PASSWORD",
    "nothing://ann:PASSWORD@127.0.0.1:1/nothing",
)
_SLOW_WAIT_S: Final = 10
_REFUSALS: Final = frozenset({ConfigError.slug, DestinationError.slug, UnknownNameError.slug, SourceUnreachableError.slug})


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets that the target is started with."""

    credential_key: Canary
    mask_key: Canary
    token: Canary


class SecretLeakCheck(HostileCheck):
    """Starts a target with keys of its own and a plugin that crashes, adds data sources with unique passwords, and searches."""

    id = "SEC-019"
    title = "No password, key or token is anywhere but where it was put: nor whole, nor in pieces, nor encoded"
    severity = Severity.CRITICAL
    cwe = ("CWE-532", "CWE-209", "CWE-200")
    # Connectors that log the URL which they open.
    vulnerable = TargetVariant("vulnerable-spoken-urls", plugins=("jivsbench.testing.vulnerable.spoken_urls",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack."""
        temporary = context.make_folder()
        key = base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        # Keys and tokens have floors of their own; marks between their letters would look like words to them.
        mask_key, token = (secrets.token_urlsafe(_KEY_BYTES) for _ in range(2))
        keys = Keys(Canary("the credential key", key), Canary("the mask key", mask_key), Canary("the admin token", token))
        changes = TargetChanges(
            credential_key=Secret(keys.credential_key.text),
            mask_key=Secret(keys.mask_key.text),
            admin_token=Secret(keys.token.text),
            query_timeout_s=None if context.dialect != "postgres" else _QUERY_TIMEOUT_S,
            plugins=(crashing_connector.__name__,),
            environment=(("TMPDIR", str(temporary)),),
        )
        start = context.log.stat().st_size if context.log.exists() else 0
        with started(context, changes) as target, TelltaleServer() as telltale:
            session = LeakSession(self, target, keys, temporary, start)
            # The reports are those of this target's installation; the plugin that crashes has no part in them.
            session.render = context.render_reports
            with session.client:
                result = self._attack(target, session, lambda: session.attack(telltale))
        if context.is_full:
            session.start_badly(context, changes)
            session.play_load(context.make_folder(), keys)
        else:
            session.leave_out("what Locust shows of a load (the full form plays one)")
        session.search_remains()
        if session.unanswered and not session.findings:
            raise InvalidRunError(f"{session.unanswered} of {session.attempted} uses of a secret got no answer about it")
        outcome = CheckOutcome.FAIL if session.findings else result.outcome
        return replace(
            result,
            outcome=outcome,
            findings=tuple(session.findings),
            reason=session.describe(),
            attempted=session.attempted,
            reached=session.reached,
        )


class LeakSession(CountedSession):
    """One run against one target."""

    def __init__(self, check: Reported, context: CheckContext, keys: Keys, temporary: Path, log_start: int) -> None:
        super().__init__(check)
        self._context = context
        self._temporary = temporary
        self._log_start = log_start
        self._given: list[Canary] = [keys.credential_key, keys.mask_key, keys.token, *_list_own(context)]
        self._found: set[tuple[str, str]] = set()
        self._places: set[str] = set()
        self._left_out: set[str] = set()
        self._texts: list[str] = []
        self.render = context.render_reports
        self.client = Client(context.base_url, context.token)

    def describe(self) -> str:
        """One line for the result."""
        left_out = f"; not looked at: {', '.join(sorted(self._left_out))}" if self._left_out else ""
        return f"{len(self._given)} secrets, {self.attempted} uses, looked for in {len(self._places)} kinds of places{left_out}"

    def run_benign(self) -> int:
        """1 when a harmless extraction completes."""
        body = {"source": self._context.source, "table": self._context.table, "row_limit": 3}
        return int(self.client.run(body).document.get("state") == "COMPLETED")

    def attack(self, telltale: TelltaleServer) -> None:
        """Success, refused passwords, crashes, timeouts, malformed URLs, wrong tokens; then look everywhere."""
        reader = self._context.reader()
        self._use_source("a source that works", reader.connector, reader.url.reveal(), self._context.table)
        crash = draw_canary("the password of a source whose connector crashes")
        url = f"{crashing_connector.SCHEME}://ann:{quote(crash.text, safe='')}@127.0.0.1/nothing"
        self._use_source("a connector that crashes", crashing_connector.NAME, url, "nothing", crash)
        slow = self._start_slow()
        if self._context.dialect == "postgres":
            self._fail_sources(reader.url.reveal(), telltale)
        else:
            self._left_out.add("failures of other servers than PostgreSQL")
        self._send_wrong_tokens()
        self._search_reports()
        self._end_slow(slow)
        self._search_running()

    def start_badly(self, context: CheckContext, changes: TargetChanges) -> None:
        """Targets whose own source has a URL that cannot be used: they refuse to start, or their jobs fail."""
        for text in _BAD_STARTS:
            canary = draw_canary(f"the password of a target's source like {text}")
            self._given.append(canary)
            refusal = None
            try:
                with_bad_url = replace(changes, source_url=Secret(text.replace("PASSWORD", canary.text)))
                with context.launch(with_bad_url) as target, Client(target.base_url, target.token) as client:
                    answer = client.run({"source": target.source, "table": "nothing"})
                    self._search("an answer", answer.raw)
                    self._take(answer)
            except JivsbenchError as problem:
                refusal = problem
            if refusal is not None:
                self.tally.count(is_met=refusal.slug in _REFUSALS)
                self._search("the message of a start that was refused", str(refusal).encode())

    def leave_out(self, what: str) -> None:
        """Have the result say that nobody looked there."""
        self._left_out.add(what)

    def play_load(self, folder: Path, keys: Keys) -> None:
        """A load over the same source with the same keys, and Locust's page of it: its names, figures, errors and files."""
        given = {"JIVSBENCH_CREDENTIAL_KEY": keys.credential_key.text, "JIVSBENCH_MASKING_KEY": keys.mask_key.text}
        if self._context.cache_url is not None:
            given["JIVSBENCH_CACHE_URL"] = self._context.cache_url.reveal()
        found, problem = read_load(folder, self._context.reader().url, self._context.table, given)
        for where, content in found:
            self._search(where, content)
        if problem is not None:
            self.leave_out(f"what Locust shows of a load ({problem})")

    def search_remains(self) -> None:
        """What is left once the target has ended: its log to the last line, its files, its temporary files."""
        with self._context.log.open("rb") as log:
            log.seek(self._log_start)
            told = log.read()
        if _SOURCE.encode() not in told and not self.findings:
            raise InvalidRunError("the target's log names none of the sources that failed: it is not where it was looked for")
        self._search("the log", told)
        if not (self._context.output_dir / ".jobs").is_dir():
            self._left_out.add("the job store (it is a server)")
        for folder, place in ((self._context.output_dir, "the output folder"), (self._temporary, "temporary files")):
            self._places.add(place)
            for where, content in read_files(folder, place):
                self._search(where, content)

    def _fail_sources(self, reader: str, telltale: TelltaleServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = int(closed.getsockname()[1])
        for name in dict(list_bad_urls(reader, "", 0, 0)):
            # A password for each: what is told somewhere says which source told it.
            canary = draw_canary(f"the password of a source with {name}")
            url = dict(list_bad_urls(reader, canary.text, telltale.port, port))[name]
            self._use_source(name, "postgres", url, "nothing", canary)
        if not telltale.told:
            raise InvalidRunError("the server that tells passwords was told none: the target did not come that far")

    def _start_slow(self) -> str | None:
        """A query that runs into its time limit while others fail in other ways; None when it was not taken."""
        body = {"source": self._context.source, "query": _SLOW.replace("{t}", self._context.table)}
        job = self.client.send("POST", f"{API}/extractions", body).document.get("id")
        if not isinstance(job, str):
            return None
        self.client.send("POST", f"{API}/extractions/{job}/start")
        return job

    def _end_slow(self, job: str | None) -> None:
        """While everything else was done, it has run into its limit; where it has none, it is stopped."""
        answer = self.client.send("GET", f"{API}/extractions/{job}?wait_s={_SLOW_WAIT_S}") if job else None
        if answer is not None and answer.document.get("state") == "FAILED":
            self._take(answer)
            return
        self._left_out.add("a query that runs into its time limit")
        if job:
            self.client.send("POST", f"{API}/extractions/{job}/stop")

    def _use_source(self, name: str, connector: str, url: str, table: str, canary: Canary | None = None) -> None:
        """Add a data source, test it, change it, extract from it, and remove it."""
        if canary is not None:
            self._given.append(canary)
        source = f"{_SOURCE}{self.attempted}"
        body = {"connector": connector, "url": url}
        added = self.client.send("POST", f"{API}/data-sources", {"name": source, **body})
        self._take(added)
        if added.is_error:
            return
        self._take(self.client.send("POST", f"{API}/data-sources/{source}/test"))
        self._take(self.client.send("PUT", f"{API}/data-sources/{source}", body))
        ended = self.client.run({"source": source, "table": table})
        self._take(ended)
        if isinstance(job := ended.document.get("id"), str):
            self.client.send("GET", f"{API}/extractions/{job}/logs")
        if name == "a source that works" and ended.document.get("state") != "COMPLETED":
            raise InvalidRunError("a copy of the source did not work: no secret was used with success")

    def _send_wrong_tokens(self) -> None:
        canary = draw_canary("a token that was refused")
        self._given.append(canary)
        self._take(self.client.send("GET", f"{API}/extractions", token=canary.text))
        self._take(self.client.send("GET", f"{API}/extractions?token={quote(canary.text)}", token=""))
        self._take(self.client.send("GET", f"{API}/extractions", headers={"Cookie": canary.text, "X-Api-Key": canary.text}))

    def _take(self, answer: Exchange) -> None:
        state = answer.document.get("state")
        is_verdict = bool(answer.status) and (state is None or state in ENDS or "is_declared" in answer.document)
        self.tally.count(is_met=is_verdict)
        error = answer.document.get("error")
        detail = error.get("message") if isinstance(error, dict) else answer.document.get("detail")
        if isinstance(detail, str):
            self._texts.append(detail)

    def _search_running(self) -> None:
        for path in ("/metrics", "/health", "/ready", f"{API}/profile", f"{API}/data-sources", f"{API}/extractions?size=200"):
            self.client.send("GET", path)
        self._search("an answer", b"\n".join(exchange.raw for exchange in self.client.exchanges))
        try:
            for where, content in read_process(self._context.pid):
                self._search(where, content)
        except OSError:
            self._left_out.add("/proc")
        self._search_cache()
        if self._context.dialect == "postgres":
            activity = read_activity(self._context)
            # One of them is the check's own, with which it looks.
            if activity.count(b"jivsbench ") < 2:  # noqa: PLR2004
                self._left_out.add("the server's list of sessions (the target had none open)")
            self._search("pg_stat_activity", activity)
        else:
            self._left_out.add("the server's list of sessions")

    def _search_reports(self) -> None:
        texts = list(dict.fromkeys(self._texts)) or ["no error"]
        (reports,) = self.render([texts])
        for _, content in read_files(reports, "a report"):
            self._search("a report", content)

    def _search_cache(self) -> None:
        if self._context.cache_url is None:
            self._left_out.add("the cache (it is in the target's memory)")
            return
        try:
            found = list(read_cache(self._context.cache_url.reveal()))
            for where, content in found:
                self._search(where, content)
            if not found:
                self._left_out.add("the cache (nothing is in it)")
        except redis.exceptions.NoPermissionError:
            self._left_out.add("the cache (its URL's user may not list it)")
        except (redis.RedisError, ValueError) as problem:
            raise InvalidRunError(f"the cache server cannot be looked through ({type(problem).__name__})") from None

    def _search(self, place: str, content: bytes) -> None:
        self._places.add(place)
        if self.is_settled:
            return
        for leak in find_leaks(content, self._given):
            if (place, leak.owner) not in self._found:
                self._found.add((place, leak.owner))
                evidence = f"{leak.owner} is in {place}, {leak.encoding}"
                self.add("a secret was told", evidence, f"use {leak.owner} with a running service, then search {place}")


def _list_own(context: CheckContext) -> Iterator[Canary]:
    """Passwords that the target has anyway, where they are long enough to be looked for."""
    for owner, url in (("the password of the source", context.reader().url), ("the password of the cache", context.cache_url)):
        password = urlsplit(url.reveal()).password if url else None
        canary = watch_secret(owner, unquote(password or ""))
        if canary.is_unique:
            yield canary
