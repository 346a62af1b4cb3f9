"""The command that plays a comparison again."""

import shlex
from collections.abc import Iterator

from jivsbench.model.record import ArmRecord, RunRecord, name_profile


def build_comparison_command(record: RunRecord) -> str:
    """`jivsbench compare` with everything that the plan says; names that others chose are quoted for the shell."""
    plan = record.plan
    names = [name_profile(profile.name) for profile in plan.profiles]
    pairs = len({block.pair for block in plan.blocks if not block.is_warm_up})
    words = ["jivsbench", "compare", "--profiles", *names, "--pairs", str(pairs), "--processes", str(plan.processes)]
    words += ["--block", f"{plan.scenario.duration_s:g}s", "--rows", str(plan.scenario.workload.rows)]
    words += ["--users", str(max((stage.users for stage in plan.scenario.stages), default=0))]
    if plan.blocks and plan.blocks[0].washout_s:
        words += ["--washout", f"{plan.blocks[0].washout_s:g}s"]
    if plan.rule is not None:
        words += [word for criterion in plan.rule.criteria for word in ("--criterion", str(criterion))]
        words += ["--margin", f"{plan.rule.margin_ratio * 100:g}%", "--alpha", f"{plan.rule.alpha_ratio * 100:g}%"]
        words += ["--looks", str(len(plan.rule.looks))]
    if plan.scenario.gates:
        # What the gates are stands in the report; where their file lay does not.
        words += ["--gates", "gates-of-this-run.toml"]
    for side, arm in zip("ab", record.arms, strict=False):
        words += _list_stack(side, arm, record)
    return shlex.join([*words, "--seed", str(plan.seed)])


def _list_stack(side: str, arm: ArmRecord, record: RunRecord) -> Iterator[str]:
    if arm.runtime is None:
        return
    if arm.runtime.is_own_environment:
        # Records hold no path of the measuring machine.
        yield from (f"--{side}-env", f"environment-with-jivsbench-{arm.runtime.jivsbench_version}")
        return
    known, own = ({plugin.name for plugin in plugins} for plugins in (record.environment.plugins, arm.runtime.plugins))
    for name in sorted(own - known):
        yield from (f"--{side}-plugin", name)
    for name in sorted(known - own):
        yield from (f"--{side}-disable", name)
