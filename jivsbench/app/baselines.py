"""`baseline`: the run of each scenario that later ones are held against, kept with its evidence's sum and who said so."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jivsbench.app.audit import audit_file
from jivsbench.app.conclusion import Outcome, find_run, judge_as_written, refuse_changed
from jivsbench.config.profiles import NAME, NAME_RULE
from jivsbench.errors import ConfigError, UnknownNameError, UsageError
from jivsbench.model.summary import Report, VerdictOutcome
from jivsbench.plugins import Registry
from jivsbench.report.bundle import RUN_FILENAME, write_reports
from jivsbench.report.manifest import MANIFEST_FILENAME, find_changes, format_manifest, hash_file, read_manifest

PROMOTION_FILENAME: Final = "promotion.json"


@dataclass(frozen=True, slots=True)
class Promotion:
    """Which run became the baseline of a scenario, when, by whom, and which one it took the place of."""

    scenario: str
    run_id: str
    outcome: str
    owner: str
    promoted_at: str
    git_commit: str | None
    replaces: str | None
    conditions: tuple[str, ...]


def promote(reports_dir: Path, name: str, registry: Registry, owner: str, *, accepts_conditions: bool = False) -> Promotion:
    """Keep a run as its scenario's baseline.

    Raises UsageError for a run that is not PASSED (CONDITIONAL only when its conditions are accepted) or that contradicts
    itself: what later runs are held against must be beyond doubt.
    """
    folder = find_run(reports_dir, name)
    outcome = judge_as_written(folder)
    _check_outcome(outcome, accepts_conditions=accepts_conditions)
    contradictions = audit_file(reports_dir, str(folder), registry).contradictions
    if contradictions:
        raise UsageError(
            f"the run {outcome.record.run_id} contradicts itself in {len(contradictions)} places "
            f"({contradictions[0].part}: {contradictions[0].arithmetic}): see 'jivsbench audit {folder}', and measure again"
        )
    scenario = _name_place(outcome)
    place = reports_dir / "baselines" / scenario
    before = read_promotion(place)
    promotion = Promotion(
        scenario=scenario,
        run_id=outcome.record.run_id,
        outcome=outcome.verdict.outcome.value,
        owner=owner,
        promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        git_commit=outcome.record.environment.git_commit,
        replaces=before.run_id if before else None,
        conditions=outcome.verdict.conditions,
    )
    _write(place, folder / RUN_FILENAME if folder.is_dir() else folder, promotion)
    return promotion


def list_promotions(reports_dir: Path) -> tuple[Promotion, ...]:
    """The baseline of every scenario that has one."""
    found = (read_promotion(path.parent) for path in sorted((reports_dir / "baselines").glob(f"*/{PROMOTION_FILENAME}")))
    return tuple(promotion for promotion in found if promotion is not None)


def find_baseline(reports_dir: Path, name: str) -> Path:
    """The folder of a scenario's baseline, or of any run by its path or id; what is read of it is held against its sums first.

    A run that an older version wrote has none, and neither has a `run.json` that was taken out of its folder. A baseline without
    sums is refused.
    """
    place = reports_dir / "baselines" / name
    # A path would lead out of the folder of baselines, to whatever it names.
    if place not in (reports_dir / "baselines").glob("*") or not place.is_dir():
        run = find_run(reports_dir, name)
        if run.exists():
            refuse_changed(run)
            return run
        raise UnknownNameError.among("baseline or run", name, [promotion.scenario for promotion in list_promotions(reports_dir)])
    manifest = read_manifest(place)
    changes = [*find_changes(place, manifest.hashes), *manifest.damaged] if manifest else [RUN_FILENAME]
    if changes:
        raise ConfigError(f"the baseline {place} is not as it was promoted ({changes[0]}): promote a run again")
    return place


def read_promotion(place: Path) -> Promotion | None:
    """The promotion in a folder; None when there is none. Raises ConfigError for a file that was changed by hand."""
    path = place / PROMOTION_FILENAME
    try:
        found = json.loads(path.read_bytes())
        return Promotion(**{**found, "conditions": tuple(found["conditions"])})
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError, TypeError, KeyError) as exc:
        raise ConfigError(f"{path} is not as jivsbench wrote it: promote a run again") from exc


def _name_place(outcome: Outcome) -> str:
    """The scenario's name, which names the folder of its baseline. Raises UsageError for one that could lead elsewhere."""
    name = outcome.record.plan.scenario.name
    if not NAME.fullmatch(name):
        raise UsageError(
            f"the scenario of run {outcome.record.run_id} is called {name!r}, and its baseline would lie in a folder called so "
            f"({NAME_RULE}): promote a run of a scenario with such a name"
        )
    return name


def _check_outcome(outcome: Outcome, *, accepts_conditions: bool) -> None:
    found, run_id = outcome.verdict.outcome, outcome.record.run_id
    if found is VerdictOutcome.PASSED or (found is VerdictOutcome.CONDITIONAL and accepts_conditions):
        return
    if found is VerdictOutcome.CONDITIONAL:
        listed = "; ".join(outcome.verdict.conditions)
        raise UsageError(
            f"the run {run_id} is CONDITIONAL ({listed}): accept its conditions with --accept-conditions, or settle them"
        )
    raise UsageError(f"the run {run_id} is {found}, and later runs must not be held against it: promote one that passed")


def _write(place: Path, run_file: Path, promotion: Promotion) -> None:
    content = (json.dumps(asdict(promotion), indent=1, ensure_ascii=False) + "\n").encode()
    files = [
        Report("baseline", RUN_FILENAME, "application/json", run_file.read_bytes()),
        Report("baseline", PROMOTION_FILENAME, "application/json", content),
    ]
    write_reports(place, files)
    hashes = {file.filename: hash_file(place / file.filename) for file in files}
    write_reports(place, [Report("baseline", MANIFEST_FILENAME, "text/plain", format_manifest(hashes))])
