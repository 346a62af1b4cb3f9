"""The whole page as one value: what templates/page.html lays out."""

from dataclasses import dataclass

from jivsbench.model.record import RunKind, RunRecord
from jivsbench.model.summary import Summary, Verdict
from jivsbench.report.views.behaviour import BehaviourView, build_behaviour
from jivsbench.report.views.facts import Facts, build_facts
from jivsbench.report.views.first_screen import FirstScreen, build_first_screen
from jivsbench.report.views.headline import Headline, build_headline
from jivsbench.report.views.key_figures import KeyFigures, build_key_figures
from jivsbench.report.views.operations import Operations, build_operations
from jivsbench.report.views.over_time import OverTime, build_over_time, style_arms
from jivsbench.report.views.pairs import Pairs, build_pairs
from jivsbench.report.views.phases import Phases, build_phases
from jivsbench.report.views.resources import Resources, build_resources
from jivsbench.report.views.security import SecurityView, build_security


@dataclass(frozen=True, slots=True)
class ArmLabel:
    """An arm's name with its colour and its part in the comparison."""

    name: str
    style: str
    role: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page."""

    document_title: str
    arms: tuple[ArmLabel, ...]
    headline: Headline
    first: FirstScreen
    key_figures: KeyFigures
    behaviour: BehaviourView | None
    over_time: OverTime
    phases: Phases
    resources: Resources
    pairs: Pairs | None
    operations: Operations
    security: SecurityView
    facts: Facts


def build_page(record: RunRecord, summary: Summary, verdict: Verdict) -> Page:
    """Prepare all sections. Pure: the same input gives the same page."""
    headline = build_headline(record, summary, verdict)
    facts = build_facts(record, summary, verdict)
    return Page(
        document_title=f"{verdict.outcome.value}: {record.plan.scenario.name}, {headline.subject}",
        arms=_label_arms(record),
        headline=headline,
        first=build_first_screen(record, summary, verdict, [fact.name for fact in facts.missing]),
        key_figures=build_key_figures(record, summary, is_valid=headline.is_valid),
        behaviour=build_behaviour(record, summary),
        over_time=build_over_time(record, verdict.asked),
        phases=build_phases(record),
        resources=build_resources(record),
        pairs=build_pairs(record, summary),
        operations=build_operations(record),
        security=build_security(record, verdict),
        facts=facts,
    )


def _label_arms(record: RunRecord) -> tuple[ArmLabel, ...]:
    styles = style_arms(record)
    is_comparison = record.plan.kind is RunKind.COMPARISON
    return tuple(
        ArmLabel(name, style, ("baseline" if name == record.plan.baseline else "candidate") if is_comparison else "")
        for name, style in styles.items()
    )
