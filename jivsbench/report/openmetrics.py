"""metrics.txt: the figures as OpenMetrics text, for GitLab's metrics report or a push to Prometheus.

Base units, as the format asks for: seconds, bytes, ratios of 1. What was not measured has no sample, and figures that say
nothing about the target are left out: a series must not get such a point.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jivsbench.analysis.validity import has_valid_figures
from jivsbench.model.gate import GateOutcome, Unit
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Figure, Report, Summary, Verdict, VerdictOutcome
from jivsbench.report.literal import show_on_one_line

_UNITS: Final[Mapping[str, tuple[str, float]]] = {
    Unit.MILLISECONDS: ("seconds", 0.001),
    Unit.SECONDS: ("seconds", 1.0),
    Unit.PERCENT: ("ratio", 0.01),
    Unit.MEBIBYTES: ("bytes", 1024.0 * 1024.0),
    Unit.RECORDS_PER_MINUTE: ("records_per_minute", 1.0),
    Unit.JOBS_PER_SECOND: ("jobs_per_second", 1.0),
    Unit.CORES: ("cores", 1.0),
}
_NOT_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_]+")


class OpenMetricsReporter:
    """Renders one gauge for each metric, and the outcomes of the run and of its gates as state sets."""

    name = "openmetrics"
    filename = "metrics.txt"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """The exposition as UTF-8, with its closing line."""
        scenario = {"scenario": record.plan.scenario.name}
        lines = [*_write_states("jivsbench_run_outcome", "How the run ended.", [(scenario, verdict.outcome)], VerdictOutcome)]
        gates = [({**scenario, "gate": result.text}, result.outcome) for result in verdict.gates]
        lines += _write_states("jivsbench_gate_outcome", "How each gate ended.", list(_keep_last(gates)), GateOutcome)
        if has_valid_figures(record, verdict):
            lines += _write_figures(summary, scenario)
        media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        return Report(self.name, self.filename, media_type, "".join(f"{line}\n" for line in (*lines, "# EOF")).encode())


def _keep_last(gates: Sequence[tuple[dict[str, str], GateOutcome]]) -> Iterator[tuple[dict[str, str], GateOutcome]]:
    """Two gates of one text are one series."""
    yield from {tuple(labels.values()): (labels, outcome) for labels, outcome in gates}.values()


def _write_figures(summary: Summary, scenario: dict[str, str]) -> Iterator[str]:
    families: dict[str, list[Figure]] = {}
    for figure in summary.figures:
        if figure.value is not None:
            families.setdefault(_name_family(figure), []).append(figure)
    for name, figures in families.items():
        unit, scale = _UNITS.get(figures[0].unit, ("", 1.0))
        yield f"# TYPE {name} gauge"
        if unit:
            yield f"# UNIT {name} {unit}"
        yield f"# HELP {name} {_escape(figures[0].metric)}"
        seen = set()
        for figure in figures:
            labels = {**scenario, "arm": figure.arm, "statistic": figure.statistic}
            if (figure.arm, figure.statistic) not in seen:
                seen.add((figure.arm, figure.statistic))
                yield f"{name}{_write_labels(labels)} {(figure.value or 0.0) * scale!r}"


def _name_family(figure: Figure) -> str:
    unit = _UNITS.get(figure.unit, ("", 1.0))[0]
    name = _NOT_A_NAME.sub("_", f"jivsbench_{figure.metric}").strip("_")
    return name if not unit or name.endswith(f"_{unit}") else f"{name}_{unit}"


def _write_states(
    name: str,
    meaning: str,
    series: Sequence[tuple[dict[str, str], str]],
    states: type[VerdictOutcome] | type[GateOutcome],
) -> Iterator[str]:
    if not series:
        return
    yield f"# TYPE {name} stateset"
    yield f"# HELP {name} {meaning}"
    for labels, state in series:
        for known in states:
            yield f"{name}{_write_labels({**labels, name: known.value})} {int(known == state)}"


def _write_labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escape(show_on_one_line(value))}"' for name, value in labels.items()) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
