"""How a use case tells its caller what it is doing; the command line shows it, tests collect it."""

from collections.abc import Callable
from dataclasses import dataclass

from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.model.monitor_rows import MonitorRow


@dataclass(frozen=True, slots=True)
class Step:
    """A step has begun. `expected_s` is how long it takes, where the plan says so."""

    text: str
    expected_s: float | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know; not a failure."""

    text: str


@dataclass(frozen=True, slots=True)
class LiveLoad:
    """A second of a load with what else is known of it: the stage it is in, and the last look at its target."""

    progress: LoadProgress
    stage: str = ""
    look: MonitorRow | None = None
    before: MonitorRow | None = None
    """The first look, for what counts up."""


Event = Step | Note | LoadMachines | LoadProgress | LiveLoad
Listener = Callable[[Event], None]
