"""More bad news never improves a verdict."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from jivsbench.analysis import judge, summarize
from jivsbench.model.finding import CheckOutcome, Finding, Severity
from jivsbench.model.gate import Unit
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.inputs import Inputs, SuiteResults
from jivsbench.model.metrics import Direction, find_metric
from jivsbench.model.summary import Effect, Figure, Provenance, Summary, VerdictOutcome
from tests.unit.analysis_records import build_arm_record, build_check, build_record

ORDER = (VerdictOutcome.PASSED, VerdictOutcome.CONDITIONAL, VerdictOutcome.INVALID, VerdictOutcome.FAILED)
GATES = tuple(
    parse_gate(text)
    for text in (
        "job.response p95 < 50 ms goal 20 ms",
        "throughput.records rate >= 50 records/min warn",
        "job.response p50 reduction >= 30 %",
        "job.response mean growth <= 10 % warn",
        "throughput.jobs rate improvement >= 20 %",
        "target.memory max growth <= 0 %",
    )
)
RECORD = build_record(build_arm_record())
NUMBERS = st.floats(0, 100, allow_nan=False)
CHECKS = st.lists(
    st.builds(
        build_check,
        severity=st.sampled_from(Severity),
        outcome=st.sampled_from(CheckOutcome),
        findings=st.lists(st.sampled_from(Severity), max_size=2),
    ),
    max_size=3,
)


@st.composite
def effects(draw, metric, statistic) -> Effect:
    """A ratio, with its interval or without."""
    low, ratio, high = sorted(draw(st.lists(st.floats(0.1, 3), min_size=3, max_size=3)))
    bounds = draw(st.sampled_from([(low, high), (None, None)]))
    return Effect(metric, statistic, "legacy", "optimized", ratio, *bounds, 0.95, 12, "made up")


SUMMARIES = st.builds(
    Summary,
    st.tuples(
        st.builds(
            lambda v: Figure("optimized", "job.response", "p95", v, Unit.MILLISECONDS, 9, Provenance.MEASURED, ""), NUMBERS
        ),
        st.builds(
            lambda v: Figure("optimized", "throughput.records", "rate", v, Unit.RECORDS_PER_MINUTE, 9, Provenance.DERIVED, ""),
            NUMBERS,
        ),
    ),
    st.tuples(
        effects("job.response", "p50"),
        effects("job.response", "mean"),
        effects("throughput.jobs", "rate"),
        effects("target.memory", "max"),
    ),
)


def rank(record, summary, gates) -> int:
    """How bad the verdict is."""
    return ORDER.index(judge(record, summary, gates).outcome)


def worsen(value, metric, factor):
    """The value moved against its metric's better direction."""
    if value is None:
        return None
    return value / factor if find_metric(metric).better is Direction.HIGHER else value * factor


def worsen_figure(figure, factor):
    """The same figure, worse."""
    return replace(figure, value=worsen(figure.value, figure.metric, factor))


def worsen_effect(effect, factor):
    """The same effect, shifted to the worse with its interval."""
    changes = {name: worsen(getattr(effect, name), effect.metric, factor) for name in ("ratio", "ratio_low", "ratio_high")}
    return replace(effect, **changes)


@given(SUMMARIES, st.sets(st.sampled_from(GATES)), CHECKS, st.floats(1, 5), st.integers(0, 5))
def test_a_worse_figure_never_improves_a_verdict(summary, gates, checks, factor, place):
    """One figure or effect of a run gets worse; the verdict stays or gets worse."""
    figures, effects_ = list(summary.figures), list(summary.effects)
    if place < len(figures):
        figures[place] = worsen_figure(figures[place], factor)
    else:
        effects_[place - len(figures)] = worsen_effect(effects_[place - len(figures)], factor)
    record = replace(RECORD, checks=tuple(checks))

    assert rank(record, Summary(tuple(figures), tuple(effects_)), gates) >= rank(record, summary, gates)


@given(SUMMARIES, st.sets(st.sampled_from(GATES)), CHECKS, CHECKS)
def test_another_check_never_improves_a_verdict(summary, gates, checks, more):
    """Whatever further checks find, the verdict stays or gets worse."""
    record = replace(RECORD, checks=tuple(checks))
    longer = replace(RECORD, checks=(*checks, *more))

    assert rank(longer, summary, gates) >= rank(record, summary, gates)


@given(CHECKS.filter(bool), st.integers(0, 2), st.sampled_from(Severity))
def test_another_finding_never_improves_a_verdict_or_lowers_a_count(checks, place, severity):
    """The same run with one finding more, its figures computed anew. A failed check names one at least: the runner sees to it."""
    gates = (parse_gate("findings.critical count <= 0"), parse_gate("findings.high count <= 1 warn"))
    place %= len(checks)
    assume(checks[place].findings or checks[place].outcome is not CheckOutcome.FAIL)
    finding = build_check(findings=[severity]).findings
    worse = [replace(check, findings=check.findings + finding) if i == place else check for i, check in enumerate(checks)]
    record, longer = replace(RECORD, checks=tuple(checks)), replace(RECORD, checks=tuple(worse))

    assert rank(longer, summarize(longer), gates) >= rank(record, summarize(record), gates)


@given(SUMMARIES, st.sets(st.sampled_from(GATES), min_size=1), st.sampled_from(GATES))
def test_another_gate_never_improves_a_verdict(summary, gates, gate):
    """A run that has been judged is not saved by one gate more."""
    assert rank(RECORD, summary, gates | {gate}) >= rank(RECORD, summary, gates)


@given(SUMMARIES, st.sets(st.sampled_from(GATES)), CHECKS)
def test_an_invalid_record_is_always_invalid(summary, gates, checks):
    """No figure, gate or finding makes an invalid run say something."""
    record = replace(RECORD, checks=tuple(checks), invalid=("nothing was measured",))

    assert judge(record, summary, gates).outcome is VerdictOutcome.INVALID


FOUND = st.lists(
    st.builds(Finding, st.sampled_from(["scan/A", "scan/B"]), st.sampled_from(Severity), *[st.just("")] * 3), max_size=3
)
IMPORT_GATES = tuple(
    parse_gate(text)
    for text in (
        "findings.critical count <= 1",
        "findings.high count <= 1 warn",
        "tests.failed count <= 1",
        "tests.passed count >= 2",
    )
)


@given(
    st.sets(st.sampled_from(IMPORT_GATES)), CHECKS, st.tuples(FOUND, FOUND), st.tuples(*[st.integers(0, 3)] * 2), st.booleans()
)
def test_what_is_brought_from_outside_never_improves_a_verdict(gates, checks, findings, counts, has_files):
    """Further findings of other scanners, and a test that fails in place of one that passed: the verdict stays or gets worse."""
    record = replace(RECORD, checks=tuple(checks))
    (found, more), (passed, failed) = findings, counts
    files = ("scan.sarif",) if has_files else ()
    before = Inputs("2030-01-01", SuiteResults(("j",), passed + 1, failed, 0), None, tuple(found), files)
    after = replace(before, tests=SuiteResults(("j",), passed, failed + 1, 0), findings=(*found, *more))

    ranks = [ORDER.index(judge(record, summarize(record, given), gates, given).outcome) for given in (before, after)]

    assert ranks[1] >= ranks[0]
