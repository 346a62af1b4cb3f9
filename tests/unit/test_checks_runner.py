import random
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from jivsbench.api import TargetVariant
from jivsbench.checks.runner import HARDENED, build_reference, find_shortfall, join_variants, run_checks
from jivsbench.errors import (
    AuditError,
    EnvironmentProblem,
    InvalidRunError,
    MissingObjectError,
    OutputError,
    SourceUnreachableError,
)
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.secret import Secret

HOLE = TargetVariant("hole")
OTHER_HOLE = TargetVariant("other-hole", is_alone=True)


@dataclass
class ScriptedCheck:
    """A check whose outcome depends on the target's name alone; `script` maps names to outcomes or errors."""

    id: str = "SEC-900"
    title: str = "a scripted check"
    severity: Severity = Severity.HIGH
    vulnerable: TargetVariant = HOLE
    script: dict = field(default_factory=dict)
    attempted: int = 3
    reached: int = 3
    benign_before: int = 1
    benign_after: int = 1

    def run(self, context):
        """Answer as scripted; by default FAIL on a hole and PASS elsewhere."""
        outcome = self.script.get(context, CheckOutcome.FAIL if "hole" in context else CheckOutcome.PASS)
        if isinstance(outcome, Exception):
            raise outcome
        findings = (Finding(self.id, self.severity, "hole", "seen so", ""),) if outcome is CheckOutcome.FAIL else ()
        result = CheckResult(self.id, self.title, self.severity, outcome, "as scripted", findings=findings)
        return replace(
            result,
            attempted=self.attempted,
            reached=self.reached,
            benign_before=self.benign_before,
            benign_after=self.benign_after,
        )


@dataclass
class Launcher:
    """Launches targets that are only names, and remembers which."""

    launched: list = field(default_factory=list)
    broken: str = ""

    @contextmanager
    def __call__(self, variant):
        """The name of the variant, as its own context."""
        if variant.name == self.broken:
            raise RuntimeError("secret in the message")
        self.launched.append(variant.name)
        yield variant.name


def run_one(check, launch=None):
    """The result of one check."""
    (result,) = run_checks([check], launch or Launcher(), "real")
    return result


def test_a_check_that_fails_on_the_hole_and_passes_on_the_reference_is_believed():
    """PASS on the target stays PASS, FAIL stays FAIL."""
    assert run_one(ScriptedCheck()).outcome is CheckOutcome.PASS
    assert run_one(ScriptedCheck(script={"real": CheckOutcome.FAIL})).outcome is CheckOutcome.FAIL


@pytest.mark.parametrize("outcome", [CheckOutcome.PASS, CheckOutcome.INVALID])
def test_a_check_that_misses_the_hole_is_invalid(outcome):
    """The positive control must fail."""
    result = run_one(ScriptedCheck(script={"hole": outcome}))

    assert result.outcome is CheckOutcome.INVALID
    assert "'hole'" in result.reason


def test_a_check_that_fails_the_reference_is_invalid():
    """The negative control must pass; its findings are not the target's, and what it took for one is told."""
    result = run_one(ScriptedCheck(script={"hardened": CheckOutcome.FAIL}))

    assert result.outcome is CheckOutcome.INVALID
    assert "'hardened'" in result.reason
    assert result.reason.endswith("as scripted; it found: hole: seen so")
    assert result.findings == ()


def test_the_target_is_not_attacked_by_a_check_whose_control_failed():
    """A broken check can do harm and prove nothing."""
    check = ScriptedCheck(script={"hole": CheckOutcome.PASS, "real": RuntimeError("attacked")})

    assert "crashed" not in run_one(check).reason


@pytest.mark.parametrize("where", ["hole", "hardened"])
def test_a_crash_in_a_control_is_invalid_and_names_the_error_without_its_text(where, caplog):
    """Never silence, and never what a message may hold: not in the result, and not on the terminal."""
    result = run_one(ScriptedCheck(script={where: KeyError("a secret")}))

    assert result.outcome is CheckOutcome.INVALID
    assert "KeyError" in result.reason
    assert "secret" not in result.reason + caplog.text
    assert "check SEC-900 crashed (KeyError)" in caplog.text


@dataclass(frozen=True)
class FakeTarget:
    """A target whose servers answer, or do not; found in a script by its name."""

    name: str = "real"
    seed: int = 7
    source_error: Exception | None = None
    cache_url: Secret | None = None

    def __contains__(self, text):
        return text in self.name

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        return self.name == other

    @contextmanager
    def oracle(self):
        """A session, or the error of the driver."""
        if self.source_error:
            raise self.source_error
        yield


def crash_on(target, error):
    """The result of a check that gets through its controls and crashes on the target."""
    (result,) = run_checks([ScriptedCheck(script={"real": error})], Launcher(), target)
    return result


def test_a_crash_on_the_target_is_a_finding_of_the_checks_severity():
    """What neither control did to the check, the target did; class and place are told, the message is not."""
    result = crash_on(FakeTarget(), KeyError("a secret"))
    (finding,) = result.findings

    assert (result.outcome, finding.severity) == (CheckOutcome.FAIL, Severity.HIGH)
    assert re.fullmatch(r"KeyError at unit/test_checks_runner\.py:\d+", finding.evidence)
    assert finding.reproducer == f"jivsbench check --only SEC-900 --seed 7, until {finding.evidence}"
    assert "secret" not in f"{result}"


def test_another_crash_is_another_finding():
    """Who answers for one crash of a check has not answered for whatever stops it next."""
    found = [crash_on(FakeTarget(), error).findings[0].fingerprint for error in (KeyError("a"), KeyError("b"), IndexError("c"))]

    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (FakeTarget(), SourceUnreachableError("gone")),
        (FakeTarget(source_error=OSError("gone")), KeyError("a row")),
        (FakeTarget(cache_url=Secret("redis://127.0.0.1:1/0")), KeyError("an entry")),
        (FakeTarget(cache_url=Secret("redis://[::1/0")), KeyError("an entry")),
        (FakeTarget(cache_url=Secret("redis://127.0.0.1:port/0")), KeyError("an entry")),
        (FakeTarget(), EnvironmentProblem("the extraction service did not accept requests within 20 s: see a log")),
        (FakeTarget(), OutputError("the disk is full")),
    ],
)
def test_a_crash_because_a_server_is_down_is_invalid(target, error):
    """By the error itself, or by asking the source and the cache afterwards; so is a target that did not start in time."""
    result = crash_on(target, error)

    assert (result.outcome, result.findings) == (CheckOutcome.INVALID, ())
    assert type(error).__name__ in result.reason


@pytest.mark.parametrize("error", [MissingObjectError("no such table"), AuditError("the trail was altered")])
def test_what_an_attack_may_have_brought_about_is_no_excuse(error):
    """A table that is gone, a trail that does not hold: the target did it, as long as its servers answer."""
    assert crash_on(FakeTarget(), error).outcome is CheckOutcome.FAIL


def test_two_runs_with_one_seed_find_the_same():
    """Outcomes and fingerprints, although the tables of a check are called otherwise in each run."""

    def run(seed):
        checks = [ScriptedCheck("SEC-901"), SeededCheck("SEC-902")]
        results = run_checks(checks, Launcher(), FakeTarget(seed=seed))
        assert results[1].outcome is CheckOutcome.FAIL
        return [(r.check_id, r.outcome, [f.fingerprint for f in r.findings]) for r in results]

    assert run(5) == run(5)
    assert run(5) != run(6)


class SeededCheck(ScriptedCheck):
    """Draws its attacks from the seed, under a name that is another one in every run."""

    def run(self, context):
        """Two payloads of the seed on the target; by script on a control."""
        result = super().run(context)
        if context != "real":
            return result
        draw = random.Random(context.seed)
        findings = tuple(
            Finding(self.id, self.severity, "hole", "", f"table jivsbench_attack_0{secrets.token_hex(5)} value {draw.random()}")
            for _ in range(2)
        )
        return replace(result, outcome=CheckOutcome.FAIL, findings=findings)


def test_a_check_that_says_itself_that_it_proved_nothing_keeps_its_reason():
    """An InvalidRunError is written to be read."""
    result = run_one(ScriptedCheck(script={"real": InvalidRunError("7 of 9 attacks got no answer")}))

    assert (result.outcome, result.reason) == (CheckOutcome.INVALID, "7 of 9 attacks got no answer")


@pytest.mark.parametrize("counter", ["attempted", "reached", "benign_before", "benign_after"])
def test_a_pass_without_work_is_invalid(counter):
    """All blocked because the target was down proves nothing, on a control as little as on the target."""
    result = run_one(ScriptedCheck(**{counter: 0}))

    assert result.outcome is CheckOutcome.INVALID


def test_a_hole_that_broke_the_target_is_still_a_hole():
    """A FAIL needs no harmless request afterwards, only before."""
    failing = {"script": {"real": CheckOutcome.FAIL, "hardened": CheckOutcome.PASS}}

    assert find_shortfall(ScriptedCheck(**failing, benign_after=0).run("real")) is None
    assert find_shortfall(ScriptedCheck(**failing, benign_before=0).run("real")) is not None


def test_a_control_that_does_not_start_is_invalid(caplog):
    """Only the error's class is told."""
    result = run_one(ScriptedCheck(), Launcher(broken="hole"))

    assert result.outcome is CheckOutcome.INVALID
    assert "RuntimeError" in result.reason
    assert "secret" not in result.reason + caplog.text


@pytest.mark.parametrize("outcome", [CheckOutcome.NOT_TESTED, CheckOutcome.NOT_APPLICABLE])
def test_what_cannot_be_tested_here_is_said_so(outcome):
    """A check that finds on its control that it cannot work is not broken."""
    result = run_one(ScriptedCheck(script={"hole": outcome}))

    assert (result.outcome, result.reason) == (outcome, "as scripted")


def test_checks_share_the_targets_of_their_controls():
    """One launch a variant, and one hardened reference for all."""
    launch = Launcher()
    checks = [
        ScriptedCheck("SEC-901"),
        ScriptedCheck("SEC-902"),
        ScriptedCheck("SEC-903", vulnerable=OTHER_HOLE),
    ]

    results = run_checks(checks, launch, "real")

    assert launch.launched == ["hole", "other-hole", "hardened"]
    assert [result.check_id for result in results] == ["SEC-901", "SEC-902", "SEC-903"]
    assert {result.outcome for result in results} == {CheckOutcome.PASS}


def test_progress_is_told_before_each_step():
    """Whoever waits sees what is going on."""
    seen = []
    run_checks([ScriptedCheck()], Launcher(), "real", seen.append)

    assert [line.split(":")[0] for line in seen] == [
        "starting the control target",
        "SEC-900 against hole",
        "starting the control target",
        "SEC-900 against hardened",
        "SEC-900",
    ]


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        (
            TargetVariant("a", plugins=("p",), connector="c"),
            TargetVariant("b", plugins=("q", "p"), guards=("g",), installations=("m:f",)),
            TargetVariant("shared-a", plugins=("p", "q"), guards=("g",), connector="c", installations=("m:f",)),
        ),
        (TargetVariant("a", cache="x"), TargetVariant("b", cache="y"), None),
        (TargetVariant("a", guards=()), TargetVariant("b", guards=("g",)), None),
        (TargetVariant("a"), TargetVariant("b", is_alone=True), None),
        (TargetVariant("a", is_alone=True), TargetVariant("a", is_alone=True), None),
        (TargetVariant("a"), TargetVariant("a"), TargetVariant("a")),
        (TargetVariant("a", cache_server="stock"), TargetVariant("b", cache_server="confined"), None),
        (TargetVariant("a", cache_server="stock"), TargetVariant("b"), TargetVariant("shared-a", cache_server="stock")),
    ],
)
def test_holes_share_a_target_when_they_get_along(left, right, joined):
    """Parts add up; two that want the same part, or one that disturbs others, get targets of their own."""
    assert join_variants(left, right) == joined


def test_the_reference_is_sound_in_what_checks_look_at():
    """A check that looks at files brings sound ones, once; others leave the reference as it is."""
    looking = ScriptedCheck()
    looking.sound_installations = ("acme:plant", "acme:plant_more")

    assert build_reference([ScriptedCheck()]) == HARDENED
    assert build_reference([looking, ScriptedCheck(), looking]).installations == ("acme:plant", "acme:plant_more")


def test_a_hole_in_the_lock_is_kept_when_targets_are_shared():
    """One unlocked variant unlocks the target that it shares."""
    joined = join_variants(TargetVariant("unlocked", is_unlocked=True), TargetVariant("other", plugins=("a",)))

    assert joined is not None
    assert joined.is_unlocked
