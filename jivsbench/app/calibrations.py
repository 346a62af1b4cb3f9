"""The calibration that fits a plan, out of those that the user keeps."""

from pathlib import Path

from jivsbench.app.environment import fingerprint_machine
from jivsbench.app.progress import Listener, Note
from jivsbench.model.calibration import Calibration
from jivsbench.model.record import Plan, name_profile
from jivsbench.report.calibration_file import read_calibrations


def find_calibration(reports_dir: Path, plan: Plan, listener: Listener) -> Calibration | None:
    """The calibration that speaks of a plan's load on this machine: the candidate's own, or else that of another profile.

    One that was measured on another machine is not used, and the listener is told.
    """
    fitting = [entry for entry in read_calibrations(reports_dir) if _describe_load(entry) == _describe_planned_load(plan)]
    machine = fingerprint_machine()
    here = [entry for entry in fitting if entry.machine == machine]
    if fitting and not here:
        listener(
            Note("this load was calibrated on another machine, which says nothing about this one: run `jivsbench calibrate`")
        )
    return max(here, key=lambda entry: (entry.profile == name_profile(plan.candidate), entry.measured_at), default=None)


def _describe_load(entry: Calibration) -> tuple[object, ...]:
    return entry.workload, entry.stages, entry.source_label


def _describe_planned_load(plan: Plan) -> tuple[object, ...]:
    return plan.scenario.workload, plan.scenario.stages, plan.source_label
