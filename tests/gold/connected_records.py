"""Runs whose parts name one another, for property tests of whatever looks across them: else nothing would meet anything."""

from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from jivsbench.model.monitor_rows import MonitorRow, Spread
from jivsbench.model.record import ArmRecord, RunRecord
from jivsbench.model.sample import OperationInterval, OperationKind
from tests.gold.record_strategy import values_of

EDGE_NUMBER: Final = (
    st.sampled_from((0, 1, 2, 3, 10, 10**9, 10**12)),
    st.sampled_from((0.0, 5e-324, 1e-9, 0.5, 1.0, 2.0, 10.0, 1e9)),
)
"""Numbers that meet again, and those by which nothing may be divided."""
_GAUGES: Final = ("rss_bytes", "pss_bytes", "threads", "jobs_waiting")


def connected_records() -> st.SearchStrategy[RunRecord]:
    """Any run, its arms those of the plan, with operations, windows and gauges that exist, and blocks that make pairs."""
    records = values_of(RunRecord, EDGE_NUMBER).filter(lambda record: record.plan.profiles and record.arms)
    return records.map(_connect)


def _connect(record: RunRecord) -> RunRecord:
    plan = record.plan
    profiles = tuple(replace(profile, name=name) for profile, name in zip(plan.profiles, ("before", "after"), strict=False))
    arms = tuple(_connect_arm(arm, profile.name) for arm, profile in zip(record.arms, profiles, strict=False))
    arms = tuple(replace(arm, profile=profile) for arm, profile in zip(arms, profiles, strict=False))
    blocks = tuple(replace(block, arm=profiles[place % len(profiles)].name) for place, block in enumerate(plan.blocks))
    return replace(record, plan=replace(plan, profiles=profiles, blocks=blocks, rule=None), arms=arms)


def _connect_arm(arm: ArmRecord, name: str) -> ArmRecord:
    return replace(
        arm,
        operations=tuple(_name_operation(part) for part in arm.operations),
        windows=tuple(replace(found, metric="http.response") for found in arm.windows),
        monitor=tuple(_name_gauges(row) for row in arm.monitor),
        blocks=tuple(replace(block, arm=name, pair=pair, index=2 * pair) for pair, block in enumerate(arm.blocks)),
    )


def _name_operation(part: OperationInterval) -> OperationInterval:
    return replace(part, operation="job" if part.kind is OperationKind.JOB else "create")


def _name_gauges(row: MonitorRow) -> MonitorRow:
    spreads: tuple[Spread, ...] = tuple(replace(one, gauge=gauge) for one, gauge in zip(row.spreads, _GAUGES, strict=False))
    return replace(row, spreads=spreads)
