"""The command that plays a comparison again."""

import shlex
from collections.abc import Iterator

from jivsbench.model.record import EMBEDDED_SOURCE, ArmRecord, Plan, RunRecord, name_profile


def build_comparison_command(record: RunRecord) -> str:
    """`jivsbench compare` with everything that the plan says; names that others chose are quoted for the shell."""
    plan = record.plan
    names = [name_profile(profile.name) for profile in plan.profiles]
    pairs = len({block.pair for block in plan.blocks if not block.is_warm_up})
    words = ["jivsbench", "compare", "--profiles", *names, "--pairs", str(pairs), "--processes", str(plan.processes)]
    words += ["--block", f"{format_argument(plan.scenario.duration_s)}s", "--rows", str(plan.scenario.workload.rows)]
    words += ["--users", str(max((stage.users for stage in plan.scenario.stages), default=0))]
    if plan.blocks and plan.blocks[0].washout_s:
        words += ["--washout", f"{format_argument(plan.blocks[0].washout_s)}s"]
    words += list_data_arguments(plan)
    if plan.rule is not None:
        words += [word for criterion in plan.rule.criteria for word in ("--criterion", str(criterion))]
        margin, alpha = (format_argument(ratio * 100) for ratio in (plan.rule.margin_ratio, plan.rule.alpha_ratio))
        words += ["--margin", f"{margin}%", "--alpha", f"{alpha}%"]
        words += ["--looks", str(len(plan.rule.looks))]
    if plan.scenario.gates:
        # What the gates are stands in the report; where their file lay does not.
        words += ["--gates", "gates-of-this-run.toml"]
    for side, arm in zip("ab", record.arms, strict=False):
        words += _list_stack(side, arm, record)
    return shlex.join([*words, "--seed", str(plan.seed)])


def list_data_arguments(plan: Plan) -> list[str]:
    """Of a source that the run filled itself, with how many rows. Any other has the rows that it has."""
    return ["--data", str(plan.table_rows)] if plan.source_label == EMBEDDED_SOURCE else []


def format_argument(number: float) -> str:
    """A number as an option takes it, without the dust of binary floats.

    >>> format_argument(0.05), format_argument(0.07 * 100), format_argument(0.0123456789)
    ('0.05', '7', '0.0123456789')
    """
    return f"{number:.12g}"


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
