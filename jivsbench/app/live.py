"""What a listener hears of a load while it runs."""

from itertools import accumulate

from jivsbench.analysis.validity import foresee_steal
from jivsbench.app.progress import Listener, LiveLoad, Note
from jivsbench.load.launcher import Hear
from jivsbench.load.monitor import Monitor
from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.record import Plan, RunKind
from jivsbench.model.scenario import Arrival, Scenario


def follow_load(plan: Plan, monitor: Monitor, listener: Listener) -> Hear:
    """Tells the listener every second where the load is, and how its target does; and once when it can no longer be valid."""
    first: dict[str, MonitorRow] = {}
    warned = False

    def tell(progress: LoadProgress | LoadMachines) -> None:
        nonlocal warned
        if isinstance(progress, LoadMachines):
            listener(progress)
            return
        look = monitor.latest(progress.arm)
        if look is not None:
            first.setdefault(progress.arm, look)
        stage = describe_stage(plan.scenario, progress.elapsed_s) if plan.kind is RunKind.RUN else ""
        listener(LiveLoad(progress, stage, look, first.get(progress.arm)))
        fault = None if warned else foresee_steal(progress.steal_ratio, progress.elapsed_s, progress.total_s)
        if fault is not None:
            warned = True
            listener(Note(f"{fault}; Ctrl-C ends it now"))

    return tell


def describe_stage(scenario: Scenario, elapsed_s: float) -> str:
    """The stage that a moment lies in: its number and what it does; the last one's drain after the end."""
    ends = list(accumulate(stage.duration_s for stage in scenario.stages))
    for number, (stage, end_s) in enumerate(zip(scenario.stages, ends, strict=True), start=1):
        if elapsed_s < end_s:
            load = f"{stage.rate_per_s:g} iterations/s" if scenario.arrival is Arrival.RATE else f"{stage.users} users"
            return f"stage {number} of {len(ends)}: {'at' if stage.is_step else 'to'} {load}"
    return "what is in flight comes to its end"
