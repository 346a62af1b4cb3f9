"""Scenarios are data: one TOML file each, in the current folder's `scenarios`, else among those that come with jivsbench."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Final

import jivsbench
from jivsbench.config.document import Section, read_document
from jivsbench.config.duration import LONGEST_DAYS, LONGEST_S
from jivsbench.config.profiles import NAME, NAME_RULE
from jivsbench.config.workloads import feed_path, read_duration, read_workload
from jivsbench.errors import GateError, UnknownNameError, UsageError
from jivsbench.model.arrivals import expected_arrivals
from jivsbench.model.gate import Gate
from jivsbench.model.gate_text import check_gate, check_question, parse_gate
from jivsbench.model.scenario import Arrival, Gaps, Question, Scenario, Stage

QUALITY_GATE: Final = "quality-gate"
SCENARIO_KEYS: Final = (
    "name",
    "title",
    "arrival",
    "gaps",
    "in_flight_limit",
    "queue_limit",
    "questions",
    "p95_limit",
    "workload",
    "stages",
    "gates",
)
GATE_FILE_KEYS: Final = ("gates", "staging", "tests", "coverage")
STAGE_KEYS: Final = ("duration", "users", "rate", "step")
_OPEN_LOOP_KEYS: Final = ("gaps", "in_flight_limit", "queue_limit")
# Far more than one generator can offer, and little enough for a schedule that fits into memory and comes to its end.
USERS_MOST: Final = 100_000
RATE_MOST: Final = 1_000_000.0
ARRIVALS_MOST: Final = 1_000_000_000
_SHORTEST_S: Final = 0.001


def scenario_folders() -> tuple[Path, ...]:
    """Folders that scenarios are looked up in: the user's own first, then those that come with jivsbench."""
    package = Path(jivsbench.__file__).parent
    folders = (Path("scenarios"), package / "_data" / "scenarios", package.parent / "scenarios")
    return tuple({folder.resolve(): folder for folder in reversed(folders) if folder.is_dir()}.values())[::-1]


def list_scenarios(folders: Sequence[Path]) -> tuple[str, ...]:
    """Names of all scenarios, sorted."""
    return tuple(sorted(set(_find_files(folders)) - {QUALITY_GATE}))


def load_scenario(name: str, folders: Sequence[Path], operations: Mapping[str, Collection[str]] | None = None) -> Scenario:
    """The scenario of that name, from the first folder that has it.

    With `operations`, those of each workload by its name, its workload and gates are checked against what a run of it measures.
    Raises UnknownNameError, ConfigError and GateError.
    """
    if name not in list_scenarios(folders):
        raise UnknownNameError.among("scenario", name, list_scenarios(folders))
    root = read_document(_find_files(folders)[name]).root
    root.expect(SCENARIO_KEYS)
    if root.required_text("name") != name:
        root.fail("name", f"the file is called {name}.toml: give both the same name")
    if not NAME.fullmatch(name):
        root.fail("name", NAME_RULE)
    arrival = Arrival(root.choice("arrival", tuple(Arrival), Arrival.USERS))
    if arrival is not Arrival.RATE:
        for key in _OPEN_LOOP_KEYS:
            if key in root:
                root.fail(key, 'it belongs to arrival = "rate", and these stages are of users: remove one of them')
    questions = tuple(_read_questions(root))
    p95_limit_s = read_duration(root, "p95_limit") if "p95_limit" in root else None
    if p95_limit_s == 0:
        root.fail("p95_limit", "no answer takes no time, so no load would count as carried: choose a limit above 0")
    if Question.CAPACITY in questions and p95_limit_s is None:
        root.fail("questions", 'a capacity is one at a limit: add p95_limit, such as p95_limit = "2s"')
    workload = read_workload(root.section("workload"))
    if operations is not None and workload.name not in operations:
        raise UnknownNameError.among("workload", workload.name, tuple(operations))
    timed = None if operations is None else operations[workload.name]
    return Scenario(
        name=name,
        title=root.required_text("title"),
        workload=workload,
        stages=_read_stages(root, arrival),
        gates=tuple(read_gates(root, timed, questions, is_comparison=False)),
        questions=questions,
        p95_limit_s=p95_limit_s,
        arrival=arrival,
        gaps=Gaps(root.choice("gaps", tuple(Gaps), Gaps.EVEN)),
        in_flight_limit=root.integer("in_flight_limit", 1000, most=USERS_MOST),
        queue_limit=root.integer("queue_limit", 1000, least=0),
    )


def find_feed(scenario: Scenario, folders: Sequence[Path]) -> Path | None:
    """Where the feed of a scenario lies; None when nothing feeds it."""
    facts = scenario.workload.feed
    return None if facts is None else feed_path(_find_files(folders)[scenario.name].parent, facts)


def load_quality_gate(folders: Sequence[Path], operations: Collection[str] | None = None) -> tuple[Gate, ...]:
    """The gates that judge a comparison by default: `quality-gate.toml`, the one file that holds them."""
    files = _find_files(folders)
    if QUALITY_GATE not in files:
        raise UnknownNameError.among("gate file", QUALITY_GATE, files)
    root = read_document(files[QUALITY_GATE]).root
    root.expect(GATE_FILE_KEYS)
    return tuple(read_gates(root, operations))


def scale_scenario(scenario: Scenario, time_scale: float) -> Scenario:
    """Every stage shorter (or longer) by one factor. Users, rates and think time, which make the load, stay.

    Raises UsageError for a scale that leaves a stage no time, or makes the load longer than one may be.
    """
    shortest_s = min(stage.duration_s for stage in scenario.stages) * time_scale
    if not isfinite(time_scale) or shortest_s < _SHORTEST_S:
        raise UsageError(
            f"the time scale {time_scale:g} leaves no time to measure, which is 1 ms a stage at least: choose one such as 0.1"
        )
    stages = tuple(replace(stage, duration_s=stage.duration_s * time_scale) for stage in scenario.stages)
    excess = _find_excess(stages)
    if excess is not None:
        raise UsageError(f"with the time scale {time_scale:g} {excess}: choose a smaller one")
    return replace(scenario, stages=stages)


def _find_files(folders: Sequence[Path]) -> dict[str, Path]:
    return {path.stem: path for folder in reversed(folders) for path in sorted(folder.glob("*.toml"))}


def _read_stages(root: Section, arrival: Arrival) -> tuple[Stage, ...]:
    stages = tuple(_read_each_stage(root, arrival))
    excess = _find_excess(stages)
    if excess is not None:
        root.fail("stages", f"{excess}: make them shorter, or lower")
    return stages


def _find_excess(stages: Sequence[Stage]) -> str | None:
    """In which way the stages together are more than a load may be; None when they are not."""
    duration_s, arrivals = sum(stage.duration_s for stage in stages), expected_arrivals(stages)
    if duration_s > LONGEST_S:
        return f"the stages last {duration_s:,.0f} s together, and a load lasts {LONGEST_DAYS} days at most"
    if arrivals > ARRIVALS_MOST:
        return f"the stages plan {arrivals:,.0f} arrivals, and a load has {ARRIVALS_MOST:,} at most"
    return None


def _read_each_stage(root: Section, arrival: Arrival) -> Iterator[Stage]:
    stages = root.sections("stages")
    other = "users" if arrival is Arrival.RATE else "rate"
    has_load = False
    for section in stages:
        section.expect(STAGE_KEYS)
        if other in section:
            section.fail(other, f'the scenario has arrival = "{arrival}", so its stages have the key {str(arrival)!r} instead')
        duration_s = read_duration(section, "duration")
        if duration_s < _SHORTEST_S:
            section.fail("duration", "a stage of no time offers no load: make it longer, or remove the stage")
        is_step = section.flag("step", False)
        if arrival is Arrival.RATE:
            stage = Stage(duration_s, is_step=is_step, rate_per_s=section.number("rate", least=0.0, most=RATE_MOST))
        else:
            stage = Stage(duration_s, section.integer("users", least=0, most=USERS_MOST), is_step)
        has_load = has_load or stage.users > 0 or stage.rate_per_s > 0
        yield stage
    if not has_load:
        noun = "a rate" if arrival is Arrival.RATE else "users"
        problem = f"no stage has {noun}, so nothing would be measured: add [[stages]] with {noun}"
        root.fail("stages" if stages else None, problem)


def _read_questions(root: Section) -> Iterator[Question]:
    for word in root.texts("questions") or ():
        if word not in tuple(Question):
            root.fail("questions", f"each must be one of {', '.join(Question)}")
        yield Question(word)


def read_gates(
    root: Section,
    operations: Collection[str] | None,
    questions: Collection[Question] = tuple(Question),
    *,
    is_comparison: bool = True,
) -> Iterator[Gate]:
    """The gates of a section: texts, or tables that also say where the limit comes from.

    With `operations` they are checked against what a run that times them measures, alone or in comparison.
    """
    entries = root.entries("gates")
    if not entries:
        root.fail("gates" if entries is not None else None, "a run that no gate judges cannot fail: add gates = [...]")
    for entry in entries:
        text, source = (entry, None) if isinstance(entry, str) else _read_sourced(entry)
        try:
            gate = replace(parse_gate(text), limit_source=source)
            if operations is not None:
                check_gate(gate, operations, is_comparison)
            check_question(gate, questions)
        except GateError as exc:
            raise GateError(f"{root.place('gates')}: {exc}") from exc
        yield gate


def _read_sourced(entry: Section) -> tuple[str, str]:
    entry.expect(("gate", "source"))
    return entry.required_text("gate"), entry.required_text("source")
