"""`worker`: this machine as one of several that offer one load."""

import tempfile
from pathlib import Path

from jivsbench.app.progress import Listener, Note, Step
from jivsbench.config import Settings
from jivsbench.load.launcher import LOG_NAME, join_load
from jivsbench.load.progress import LoadMachines
from jivsbench.load.spec import JoinSpec


def be_load_machine(settings: Settings, master: str, port: int, listener: Listener) -> None:
    """Join the master and play its load to the end, with this machine's own plugins.

    Raises EnvironmentProblem when no master answers, InvalidRunError when the load ended early.
    """
    spec = JoinSpec(master, port, settings.plugins, settings.disabled_plugins)
    listener(Step(f"joining the master at {master}:{port}, and waiting for its load"))
    folder = Path(tempfile.mkdtemp(prefix="jivsbench-load-machine-"))
    listener(Note(f"what its load process says is in {folder / LOG_NAME}"))
    outcome = join_load(spec, folder / LOG_NAME, lambda event: None if isinstance(event, LoadMachines) else listener(event))
    listener(Note(f"the load has ended; this machine sent {outcome.generator.operations:,} operations of it"))
