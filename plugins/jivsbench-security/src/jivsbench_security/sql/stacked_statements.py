"""SEC-004: stacked statements. Wherever a text goes, the server never gets two statements in one that it would carry out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from jivsbench.api import CheckContext, TargetVariant, Wire
from jivsbench.errors import EnvironmentProblem, ExtractionError, InvalidRunError, JivsbenchError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.table import ExtractionRequest, Partition, TableSchema
from jivsbench_security.corpora import load_hostile
from jivsbench_security.sql.planted_attack import PlantedAttack, PlantedCheck
from jivsbench_security.sql.planted_schema import CANARY
from jivsbench_security.sql.statement_texts import StatementJudge, read_texts

_SECOND: Final = (
    "DELETE FROM {schema}.canary",
    "COMMIT; DELETE FROM {schema}.canary",
    "ROLLBACK; BEGIN READ WRITE; DROP TABLE {schema}.canary; COMMIT",
    "SELECT 2",
)
_CLOSINGS: Final = (
    ("'", " --"),
    ("')", " --"),
    ("\\'", " --"),
    ('"', " --"),
    ('"."x"', ""),
    (") TO STDOUT", " --"),
    ("$$", " --"),
    ("", ""),
    ("\n", "\n--"),
    ("*/", " /*"),
    ("1)", " --"),
)
_FAST_EACH: Final = 4
_FAST_QUERIES: Final = 40
_SYNTAX_ERROR: Final = "42601"
_TITLE: Final = "a stacked query was accepted"
_HARMLESS: Final = "SELECT 1 AS one"


@dataclass(frozen=True, slots=True)
class StackedText:
    """A text that closes what is open, and begins another statement."""

    text: str


def build_texts() -> Iterator[StackedText]:
    """Every closing with every second statement, so that the first few have met each."""
    for shift in range(len(_SECOND)):
        for index, (start, end) in enumerate(_CLOSINGS):
            yield StackedText(f"{start}; {_SECOND[(index + shift) % len(_SECOND)]}{end}")


Place = Callable[[str, str], Mapping[str, object]]
PLACES: Final[Mapping[str, Place]] = {
    "value": lambda t, s: {"table": t, "filters": [{"column": "note", "operator": "=", "values": [s]}]},
    "LIKE value": lambda t, s: {"table": t, "filters": [{"column": "note", "operator": "like", "values": [s]}]},
    "IN value": lambda t, s: {"table": t, "filters": [{"column": "note", "operator": "in", "values": ["alive", s]}]},
    "number": lambda t, s: {"table": t, "filters": [{"column": "id", "operator": "=", "values": [s]}]},
    "table": lambda t, s: {"table": t + s},
    "schema": lambda t, s: {"table": s + "." + t.rpartition(".")[2]},
    "column": lambda t, s: {"table": t, "columns": ["id", s]},
    "filter column": lambda t, s: {"table": t, "filters": [{"column": "id" + s, "operator": "is null"}]},
    "renaming": lambda t, s: {"table": t, "transforms": [{"kind": "rename", "column": "note", "to": s}]},
    "masking": lambda t, s: {"table": t, "transforms": [{"kind": "mask", "column": "note" + s, "how": "redact"}]},
    "kept rows": lambda t, s: {
        "table": t,
        "transforms": [{"kind": "filter", "column": "note", "operator": "=", "values": [s]}],
    },
}
"""Where a text can go in a request for a table: a field that reaches a statement, or the transforms that a hook carries out."""


class StackedStatementsCheck(PlantedCheck):
    """Sends stacked statements in every place, and has the server judge each text that the target sent to it."""

    id = "SEC-004"
    title = "Stacked statements: no text of several statements reaches the server as one to carry out"
    # A hole here gives away the whole source.
    severity = Severity.CRITICAL
    cwe = ("CWE-89",)
    # A connector that pastes values, and sends its texts without parameters.
    vulnerable = TargetVariant(
        "vulnerable-simple",
        plugins=("jivsbench.testing.vulnerable.fstring", "jivsbench.testing.vulnerable.simple_protocol"),
        connector="vulnerable-fstring",
    )

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a recorder between the target and its server."""
        if context.dialect == "postgres" and context.wire is None:
            reason = "nothing stands between the target and its server, so nobody sees what reaches it"
            return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
        return super().run(context)

    def _send(self, attack: PlantedAttack) -> None:
        context, wire = attack.context, attack.context.wire
        assert wire is not None
        mark = wire.mark()
        attack.read(CANARY)
        if not read_texts(wire.since(mark)):
            raise InvalidRunError("the recorder saw no statement of a harmless extraction")
        texts = [one.text.replace("{schema}", attack.schema.name) for one in build_texts()]
        table = attack.schema.locate(CANARY)
        # The places begin at different texts, so that together they have met all.
        sent = [
            build(table, texts[(place + number) % len(texts)])
            for place, build in enumerate(PLACES.values())
            for number in range(len(texts) if context.is_full else _FAST_EACH)
        ]
        attack.prove_queries_pass()
        attack.extract_all(sent)
        stacked = [one for one in load_hostile("postgres") if one.group.startswith("stacked")]
        for one in islice(stacked, None if context.is_full else _FAST_QUERIES):
            attack.send_query(one.name, one.sql, _TITLE)
        for second in _SECOND:
            attack.send_query("stacked", f"{_HARMLESS}; {second}", _TITLE)
        _try_connector(attack)
        if not attack.schema.is_canary_alive():
            attack.add("the canary table changed", "a second statement was carried out", "one of the texts of this check")
        _judge_wire(attack, wire, mark)


def _judge_wire(attack: PlantedAttack, wire: Wire, mark: int) -> None:
    """Each text that the target sent since the mark, judged by the server's own parser."""
    judge = StatementJudge(attack.schema.owner)
    sent = list(dict.fromkeys(read_texts(wire.since(mark))))
    several = [one for one in sent if judge.holds_several(one.text)]
    simple = sum(one.is_simple for one in sent)
    attack.remarks.append(f"{len(sent)} distinct texts reached the server, {simple} of them by the simple protocol")
    for one in several:
        shown = one.text.decode("utf-8", "replace")[:300]
        if one.is_simple:
            attack.add("several statements reached the server in one text, by the simple protocol", "so the server says", shown)
    if several and not any(one.is_simple for one in several):
        attack.remarks.append(f"{len(several)} of several statements, all by the extended protocol, which refuses them (42601)")
    if not wire.is_complete:
        raise InvalidRunError("the recorder did not keep everything that the target sent")


def _try_connector(attack: PlantedAttack) -> None:
    """The connector alone, with its owner's rights and no guard in front: the server must refuse a text of two with 42601."""
    for second in _SECOND:
        text = f"{_HARMLESS}; {second.replace('{schema}', attack.schema.name)}"
        request = ExtractionRequest(source=attack.context.source, query=text)
        for step, act in _STEPS.items():
            with attack.context.oracle() as connection:
                connection.begin()
                outcome = _try(lambda act=act, connection=connection, request=request: act(connection, request))  # type: ignore[misc]
            attack.tally.count(is_met=outcome is None, is_refused=outcome is not None)
            if outcome is None or _SYNTAX_ERROR not in outcome:
                found = "carried it out" if outcome is None else f"answered {outcome[:200]}"
                attack.add(f"the connector's {step} did not have the server refuse two statements", found, text)


def _try(act: Callable[[], object]) -> str | None:
    try:
        act()
    except ExtractionError as refusal:
        return str(refusal)
    except EnvironmentProblem as other:
        # The server did not get to judge the text: it is away, or has no slot or no rights for this session.
        raise InvalidRunError(
            f"the connector alone got no session with the source to try a text of two statements: {other.slug}"
        ) from other
    except JivsbenchError as other:
        return type(other).__name__
    return None


_STEPS: Final[Mapping[str, Callable[[Any, ExtractionRequest], object]]] = {
    "schema": lambda connection, request: connection.schema(request),
    "read": lambda connection, request: list(connection.read(Partition(0, request, TableSchema(())))),
}
