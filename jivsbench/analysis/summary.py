"""From a record to its summary: every figure of the catalogue for every arm, and in a comparison every effect."""

from collections.abc import Sequence
from dataclasses import replace

from jivsbench.analysis.answers import list_answer_figures
from jivsbench.analysis.behaviour import describe_behaviour
from jivsbench.analysis.comparison import choose_confidence, whole_pairs
from jivsbench.analysis.effects import pair_effects, plain_effect
from jivsbench.analysis.figures import list_figures
from jivsbench.analysis.findings import list_finding_figures
from jivsbench.analysis.imported import list_input_figures
from jivsbench.analysis.readings import choose_memory_kind
from jivsbench.model.gate import WHOLE
from jivsbench.model.inputs import Inputs
from jivsbench.model.metrics import CATALOGUE
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Effect, Figure, Summary


def summarize(record: RunRecord, inputs: Inputs | None = None) -> Summary:
    """All figures and effects of a run. A figure that was not measured is None and says why.

    Security findings are those of the plan's candidate, the one profile that the checks attack, and those of `inputs`.
    """
    memory = choose_memory_kind(record.arms)
    arrival = record.plan.scenario.arrival
    figures = [figure for arm in record.arms for figure in list_figures(arm, memory, arrival)]
    if record.is_partial:
        figures = [_forget_lost_rows(figure) for figure in figures]
    behaviour = describe_behaviour(record, memory)
    if behaviour is not None:
        figures += list_answer_figures(record.arms[-1], behaviour, record.plan.scenario.questions, record.capacity)
    figures += list_finding_figures(record.plan.candidate, record.checks, inputs)
    figures += list_input_figures(record.plan.candidate, inputs)
    return Summary(tuple(figures), _list_effects(record, figures), behaviour)


def _forget_lost_rows(figure: Figure) -> Figure:
    """Of a run that was cut off nobody knows what the jobs in flight read and wrote."""
    if figure.metric != "rows.lost":
        return figure
    return replace(figure, value=None, samples=0, method="not measured: the run was cut off with jobs in flight")


def _list_effects(record: RunRecord, figures: Sequence[Figure]) -> tuple[Effect, ...]:
    if record.sides is None:
        return ()
    baseline, candidate = record.sides
    by_name = {(figure.arm, figure.metric, figure.statistic): figure for figure in figures if figure.window == WHOLE}
    confidence = choose_confidence(record.plan.rule, len(whole_pairs(baseline.blocks, candidate.blocks)))
    effects = list(pair_effects(baseline.blocks, candidate.blocks, confidence))
    for metric in CATALOGUE:
        for statistic in metric.statistics:
            if statistic in metric.plain:
                before = by_name[baseline.profile.name, metric.name, statistic]
                effects.append(plain_effect(before, by_name[candidate.profile.name, metric.name, statistic]))
    return tuple(effects)
