"""SEC-025: what the cache server lets the target's user do, and a stranger. Nothing dangerous is ever carried out.

A command that would act is queued in a transaction that is then dropped: the server decides about the right when it queues.
Where the user may not open a transaction, and for what none may hold, the command is sent in a form that is wrong after its name.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.cache_access import KEY_PATTERN, format_rules
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.table import parse_table_name
from jivsbench_security.cache.cache_server import build_client
from jivsbench_security.extractions import Extractions
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported

_STREAM: Final = "MONITOR"
_PREFIX: Final = KEY_PATTERN.removesuffix("*")


@dataclass(frozen=True, slots=True)
class Power:
    """A command that no service needs. `wrong` is a form of it that every server refuses to carry out."""

    name: str
    words: tuple[str, ...]
    wrong: tuple[str, ...] | None = None
    fits_transaction: bool = True


POWERS: Final = (
    Power("FLUSHALL", ("FLUSHALL",), ("FLUSHALL", "NOSUCHWORD")),
    Power("FLUSHDB", ("FLUSHDB",), ("FLUSHDB", "NOSUCHWORD")),
    Power("SWAPDB", ("SWAPDB", "0", "0"), ("SWAPDB", "x", "x")),
    Power("CONFIG GET", ("CONFIG", "GET", "nosuchparameter"), ("CONFIG", "GET", "nosuchparameter")),
    Power("CONFIG SET", ("CONFIG", "SET", "nosuchparameter", "1"), ("CONFIG", "SET", "nosuchparameter", "1")),
    Power("EVAL", ("EVAL", "return 1", "0"), ("EVAL", "return 1", "x")),
    Power("SCRIPT LOAD", ("SCRIPT", "LOAD", "return 1"), ("SCRIPT", "LOAD", "not lua (")),
    Power("FUNCTION LOAD", ("FUNCTION", "LOAD", "nothing"), ("FUNCTION", "LOAD", "nothing")),
    Power("SLAVEOF", ("SLAVEOF", "NO", "ONE"), ("SLAVEOF", "nosuchhost", "noport")),
    Power("REPLICAOF", ("REPLICAOF", "NO", "ONE"), ("REPLICAOF", "nosuchhost", "noport")),
    Power("MODULE LIST", ("MODULE", "LIST"), ("MODULE", "LIST")),
    Power("MODULE LOAD", ("MODULE", "LOAD", "/nonexistent/module.so"), ("MODULE", "LOAD", "/nonexistent/module.so")),
    Power("KEYS", ("KEYS", "nosuchkey")),
    Power("DEBUG", ("DEBUG", "HELP"), ("DEBUG", "HELP")),
    # Not SAVE itself: no transaction may hold it, and it has no wrong form.
    Power("BGSAVE and SAVE", ("BGSAVE", "NOSUCHWORD"), ("BGSAVE", "NOSUCHWORD"), fits_transaction=False),
    Power("SHUTDOWN", ("SHUTDOWN", "NOSUCHWORD"), ("SHUTDOWN", "NOSUCHWORD"), fits_transaction=False),
    Power("ACL LIST", ("ACL", "LIST"), ("ACL", "LIST")),
    Power("ACL SETUSER", ("ACL", "SETUSER", "nosuchuser", "nosuchrule"), ("ACL", "SETUSER", "nosuchuser", "nosuchrule")),
    Power("CLIENT LIST", ("CLIENT", "LIST"), ("CLIENT", "LIST", "NOSUCHWORD")),
    Power(_STREAM, (_STREAM,)),
    Power("MIGRATE", ("MIGRATE", "127.0.0.1", "1", "nosuchkey", "0", "1"), ("MIGRATE", "127.0.0.1", "x", "nosuchkey", "0", "1")),
    Power("CLUSTER", ("CLUSTER", "INFO"), ("CLUSTER", "INFO")),
    Power("LATENCY", ("LATENCY", "LATEST"), ("LATENCY", "LATEST")),
    Power("SLOWLOG", ("SLOWLOG", "GET", "1"), ("SLOWLOG", "GET", "x")),
    Power("PUBLISH", ("PUBLISH", "nosuchchannel", "x")),
)
_SEVERE: Final = frozenset(
    {"FLUSHALL", "FLUSHDB", "CONFIG SET", "EVAL", "SLAVEOF", "REPLICAOF", "MODULE LOAD", "ACL SETUSER", "SHUTDOWN"}
)


class CachePostureCheck(HostileCheck):
    """Asks the cache server what the target's user may do on it."""

    id = "SEC-025"
    title = "The cache server gives the service's user no right that it does not need, and a stranger none"
    severity = Severity.HIGH
    cwe = ("CWE-306", "CWE-269", "CWE-732")
    # Alone: not every machine has a server program to start, and the other checks' controls must not depend on it.
    vulnerable = TargetVariant("vulnerable-stock-cache", cache_server="stock", is_alone=True)

    def run(self, context: CheckContext) -> CheckResult:
        """Attack the server that the target uses."""
        if context.cache_url is None:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, "the target's cache is no server")
        session = PostureSession(self, context)
        client, stranger = build_client(context.cache_url), build_client(context.cache_url, is_anonymous=True)
        try:
            return self._attack(context, session, lambda: session.ask(client, stranger))
        finally:
            client.close()
            stranger.close()


class PostureSession(CountedSession):
    """One look at one server."""

    def __init__(self, check: Reported, context: CheckContext) -> None:
        super().__init__(check)
        self._context = context
        self._extractions = Extractions(context.target)

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} things asked of the cache server that no service needs, {len(self.findings)} findings"

    def run_benign(self) -> int:
        """A harmless extraction: the cache must not be what breaks it."""
        table = str(parse_table_name(self._context.table))
        ending = self._extractions.run({"source": self._context.source, "table": table, "row_limit": 1})
        return int(ending.is_completed)

    def ask(self, client: Any, stranger: Any) -> None:
        """Everything, as the target's user and as nobody. Raises InvalidRunError when the server does not answer."""
        try:
            self._ask_as_stranger(stranger)
            self._ask_for_powers(client)
            self._ask_for_foreign_keys(client)
            self._ask_for_limits(client)
        except (redis.RedisError, OSError) as problem:
            raise InvalidRunError(f"the cache server did not answer the check ({type(problem).__name__})") from problem

    def _ask_as_stranger(self, stranger: Any) -> None:
        # A user without a password may be allowed the one and not the other.
        asked = (("PING",), ("SCAN", "0"), ("GET", f"{_PREFIX}{secrets.token_hex(8)}"))
        self.tally.tried += len(asked)
        try:
            with stranger.client() as line:
                answered = [words[0] for words in asked if find_refusal(line, words) is None]
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            # What the client says first of itself was refused already.
            answered = []
        except redis.ResponseError as exc:
            if not is_refusal(exc):
                raise
            answered = []
        self.tally.reached += len(asked)
        if answered:
            self.add(
                "the cache server asks nobody for a password",
                f"{', '.join(answered)} was answered on a connection without a log-in",
                f"redis-cli PING; end it with {write_user()}, that user in the cache's URL, and then `ACL SETUSER default off`",
            )

    def _ask_for_powers(self, client: Any) -> None:
        allowed = []
        with client.client() as line:
            may_queue = find_refusal(line, ("MULTI",)) is None
            if may_queue:
                find_refusal(line, ("DISCARD",))
            for power in POWERS:
                self.tally.tried += 1
                if power.name == _STREAM and not may_queue:
                    # It turns its connection into a stream, which nothing else may have.
                    with client.client() as stream:
                        refusal = find_refusal(stream, power.words)
                        stream.connection.disconnect()
                else:
                    refusal = try_power(line, power, may_queue=may_queue)
                self.tally.reached += 1
                if refusal is None:
                    allowed.append(power.name)
        if allowed:
            self.add(
                "the cache server lets the service's user do what no service needs",
                f"{len(allowed)} of {len(POWERS)} were not refused: {', '.join(allowed)}",
                f"redis-cli MULTI, {', '.join(allowed)}, DISCARD as that user; end it with {write_user()}",
                Severity.HIGH if _SEVERE & set(allowed) else Severity.MEDIUM,
            )

    def _ask_for_foreign_keys(self, client: Any) -> None:
        name = f"not-{_PREFIX}{secrets.token_hex(8)}"
        # It would last for a millisecond.
        asked = (("GET", name), ("SET", name, "x", "PX", "1", "NX"))
        with client.client() as line:
            open_ways = [words[0] for words in asked if find_refusal(line, words) is None]
        self.tally.tried += len(asked)
        self.tally.reached += len(asked)
        if open_ways:
            self.add(
                "the service's user may use keys that are not its own",
                f"{' and '.join(open_ways)} of a key outside {KEY_PATTERN} was not refused",
                f"redis-cli GET {name} as that user; end it with {write_user()}",
            )

    def _ask_for_limits(self, client: Any) -> None:
        self.tally.tried += 1
        with client.client() as line:
            try:
                line.connection.send_command("INFO", "memory")
                facts = parse_facts(line.connection.read_response())
            except redis.ResponseError as exc:
                raise InvalidRunError("the cache server's memory limit could not be seen: give its user the right +info") from exc
        self.tally.reached += 1
        for severity, title, evidence, statement in judge_limits(facts):
            self.add(title, evidence, f"redis-cli INFO memory; end it with `{statement}`", severity)


def find_refusal(line: Any, words: Sequence[str]) -> str | None:
    """Why the server says that this user may not send this; None when nothing but the words themselves was the matter."""
    try:
        line.connection.send_command(*words)
        line.connection.read_response()
    except redis.ResponseError as exc:
        return str(exc) if is_refusal(exc) else None
    return None


def is_refusal(error: redis.ResponseError) -> bool:
    """True for an error about rights, or about a command that the server does not have or has switched off."""
    if isinstance(error, redis.exceptions.NoPermissionError | redis.exceptions.AuthenticationError):
        return True
    words = (
        "noperm",
        "noauth",
        "denied redis is running in protected mode",
        "wrongpass",
        "unknown command",
        "unknown subcommand",
        "command not allowed. if the enable",
    )
    text = str(error).lower()
    return any(word in text for word in words) or "authentication required" in text


def try_power(line: Any, power: Power, *, may_queue: bool) -> str | None:
    """Why a command was refused; None when it would be carried out. It never is.

    Where the user may not open a transaction and the command has no wrong form, it is sent as it is: those do no harm.
    """
    if not may_queue or not power.fits_transaction:
        return find_refusal(line, power.wrong or power.words)
    find_refusal(line, ("MULTI",))
    refusal = find_refusal(line, power.words)
    find_refusal(line, ("DISCARD",))
    return refusal


def parse_facts(text: bytes) -> dict[str, str]:
    """What INFO says."""
    lines = text.decode("ascii", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def judge_limits(facts: dict[str, str]) -> Iterator[tuple[Severity, str, str, str]]:
    """Severity, title, evidence and cure of each limit that is missing. A server that says neither limit is none to judge."""
    size, policy = facts.get("maxmemory"), facts.get("maxmemory_policy")
    if size is None or policy is None:
        raise InvalidRunError("the cache server does not say what its memory limit is")
    if size == "0":
        yield (
            Severity.MEDIUM,
            "the cache server's memory has no limit",
            "INFO says maxmemory:0",
            "CONFIG SET maxmemory 64mb",
        )
    if policy == "noeviction":
        yield (
            Severity.LOW,
            "a full cache server refuses new entries",
            "INFO says maxmemory_policy:noeviction",
            "CONFIG SET maxmemory-policy allkeys-lru",
        )


def write_user() -> str:
    """The statement, for the server's owner, that gives a service's user what it needs and nothing else."""
    return f"`ACL SETUSER jivsbench reset on >PASSWORD {format_rules()}`"
