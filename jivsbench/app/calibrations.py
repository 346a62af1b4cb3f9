"""The calibration that fits a plan, out of those that the user keeps."""

from pathlib import Path

from jivsbench.app.environment import fingerprint_machine
from jivsbench.model.calibration import Calibration
from jivsbench.model.record import Plan
from jivsbench.report.calibration_file import read_calibrations


def find_calibration(reports_dir: Path, plan: Plan) -> Calibration | None:
    """The calibration that speaks of a plan's load on this machine: the candidate's own, or else that of another profile."""
    machine = fingerprint_machine()
    fitting = [
        entry
        for entry in read_calibrations(reports_dir)
        if (entry.machine, entry.workload, entry.stages) == (machine, plan.scenario.workload, plan.scenario.stages)
    ]
    return max(fitting, key=lambda entry: (entry.profile == plan.candidate, entry.measured_at), default=None)
