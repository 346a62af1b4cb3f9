"""`ablate`: the full profile against itself without one switch or guard, for each in turn."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jivsbench import __version__
from jivsbench.analysis.ablation import count_jobs, measure_switch
from jivsbench.app.comparison import Arms, Ground, Load, build_scenario, play_comparison
from jivsbench.app.plans import SEED_LIMIT, draw_seed
from jivsbench.app.progress import Listener, Note, Step
from jivsbench.app.run import new_folder
from jivsbench.app.scenarios import DEMO_ROWS, prepare
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.app.targets import SAME
from jivsbench.config import Settings, find_profile
from jivsbench.dataset import TABLE
from jivsbench.errors import InterruptedRunError, InvalidRunError, JivsbenchError, UnknownNameError, UsageError
from jivsbench.extract.guards import require_guards
from jivsbench.model.ablation import CLAIMS, Ledger, LedgerRow
from jivsbench.model.profile import LEGACY, Profile
from jivsbench.model.record import RunRecord
from jivsbench.plugins import Registry
from jivsbench.report.bundle import write_reports
from jivsbench.report.ledger import render_ledger

_FOLDER: Final = "ablation"


@dataclass(frozen=True, slots=True)
class AblationOptions:
    """Which profile, which of its switches and guards (empty: all), under which load, in how many rounds."""

    profile: str
    load: Load
    only: tuple[str, ...] = ()
    rounds: int = 8
    seed: int | None = None
    data_rows: int = DEMO_ROWS


@dataclass(frozen=True, slots=True)
class Ablated:
    """The profile without one thing."""

    name: str
    is_guard: bool
    profile: Profile


def ablate(settings: Settings, registry: Registry, options: AblationOptions, listener: Listener) -> tuple[Ledger, Path]:
    """Turn off each switch and each guard in turn. Returns the ledger and the folder that holds it with all bundles.

    Every round has new processes, and the order within a round is drawn anew. Raises InvalidRunError when no round was valid.
    Whatever ends it early, Ctrl-C (InterruptedRunError) or a target that does not start, leaves the ledger of the rounds before.
    """
    full = find_profile(settings, options.profile)
    guards = tuple(guard.name for guard in require_guards(full, registry.guards))
    variants = choose_variants(full, guards, options.only)
    if not variants:
        raise UsageError(f"profile {full.name} uses no switch and no guard, so nothing can be turned off: name another")
    if not options.load.pairs:
        raise UsageError("the budget leaves no pair of blocks for each round: raise --budget, or lower --rounds or --block")
    seed = draw_seed(options.seed)
    folder = new_folder(settings.reports_dir / _FOLDER, options.profile)
    own = replace(settings, reports_dir=folder)
    played: dict[str, list[RunRecord]] = {variant.name: [] for variant in variants}
    ended: JivsbenchError | KeyboardInterrupt | None = None
    with open_servers(settings, registry, listener) as servers:
        bench = Workbench(own, registry, servers, listener)
        environment, table_rows = prepare(bench, str(TABLE), options.data_rows)
        try:
            _play(Ground(bench, environment, table_rows), full, variants, played, options, seed)
        except (JivsbenchError, KeyboardInterrupt) as exc:
            ended = exc
    is_interrupted = isinstance(ended, InterruptedRunError | KeyboardInterrupt)
    if all(record.invalid for records in played.values() for record in records):
        if is_interrupted:
            raise InterruptedRunError(f"interrupted before any round was valid: the bundles are in {folder}")
        raise ended or InvalidRunError(
            f"no round was valid: see the bundles in {folder}, and ablate when the machine is less busy"
        )
    ledger = Ledger(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine_label=environment.machine_label,
        jivsbench_version=__version__,
        profile=full.name,
        workload=build_scenario(options.load).workload,
        users=options.load.users,
        block_s=options.load.block_s,
        seed=seed,
        rows=tuple(_build_row(variant, played[variant.name]) for variant in variants),
        already_off=tuple(name for name in _list_switches() if getattr(full.switches, name) == getattr(LEGACY.switches, name)),
        is_partial=ended is not None,
    )
    write_reports(folder, render_ledger(ledger))
    if is_interrupted:
        raise InterruptedRunError(f"interrupted: what the rounds before had measured is in {folder / 'ledger.md'}")
    if ended is not None:
        listener(Note(f"what the rounds before had measured is in {folder / 'ledger.md'}"))
        raise ended
    return ledger, folder


def _play(  # noqa: PLR0917 - six different types
    ground: Ground,
    full: Profile,
    variants: Sequence[Ablated],
    played: dict[str, list[RunRecord]],
    options: AblationOptions,
    seed: int,
) -> None:
    """Every round, into `played`, so that the rounds before an interruption are kept."""
    order = random.Random(f"ablation:{seed}")  # noqa: S311 - a reproducible order, not a secret
    listener = ground.bench.listener
    for number in range(options.rounds):
        for variant in order.sample(variants, len(variants)):
            listener(Step(f"round {number + 1} of {options.rounds}: {full.name} without {variant.name}"))
            arms = Arms((variant.profile, full), (SAME, SAME))
            record = play_comparison(ground, arms, options.load, None, order.randrange(SEED_LIMIT)).record
            played[variant.name].append(record)
            if record.invalid:
                listener(Note(f"this round says nothing: {record.invalid[0]}"))


def choose_variants(full: Profile, guards: tuple[str, ...], only: tuple[str, ...] = ()) -> tuple[Ablated, ...]:
    """The profile without each of its switches and guards, or without those that are named. Raises UnknownNameError."""
    variants = {variant.name: variant for variant in _list_variants(full, guards)}
    for name in only:
        if name not in variants:
            raise UnknownNameError.among(f"switch or guard that {full.name} uses", name, variants)
    return tuple(variants[name] for name in dict.fromkeys(only or variants))


def _list_variants(full: Profile, guards: tuple[str, ...]) -> Iterator[Ablated]:
    for name in _list_switches():
        off = getattr(LEGACY.switches, name)
        if getattr(full.switches, name) == off:
            continue
        without = replace(full, name=f"without-{name}", switches=replace(full.switches, **{name: off}))
        if name == "metadata_pool":
            # This switch stands for numbers.
            without = replace(without, metadata=LEGACY.metadata)
        yield Ablated(name, is_guard=False, profile=without)
    for name in guards:
        left = tuple(guard for guard in guards if guard != name)
        yield Ablated(name, is_guard=True, profile=replace(full, name=f"without-{name}", guards=left))


def _list_switches() -> tuple[str, ...]:
    return tuple(field.name for field in fields(LEGACY.switches))


def _build_row(variant: Ablated, played: list[RunRecord]) -> LedgerRow:
    valid = [record for record in played if not record.invalid]
    claim = None if variant.is_guard else CLAIMS.get(variant.name)
    said_nothing = len(played) - len(valid)
    return LedgerRow(
        variant.name, variant.is_guard, measure_switch(valid), len(valid), said_nothing, claim, jobs=count_jobs(valid)
    )
