"""`jivsbench audit`."""

from dataclasses import asdict
from pathlib import Path

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option
from jivsbench.exitcodes import ExitCode
from jivsbench.model.claims import Audit, Rule


@click.command()
@click.argument("file", default="latest")
@click.option("--mapping", type=click.Path(dir_okay=False), help="TOML file that says what the columns of a table mean.")
@click.option("--against", metavar="FILE", help="Another result: do both come from the same workload?")
@click.option("--all", "show_all", is_flag=True, help="Print every relation, not only the contradictions.")
@reports_option
@json_option
@click.pass_context
def audit(
    ctx: click.Context,
    file: str,
    mapping: str | None,
    against: str | None,
    show_all: bool,
    reports_dir: str | None,
    as_json: bool,
) -> ExitCode:
    """Check whether FILE is consistent with itself.

    FILE is a run of ours (folder, run id, run.json or `latest`), or a result of k6, Locust, Gatling or JMeter, told by its
    content; any other table needs --mapping. Exit code 0: no contradiction. 1: at least one. 4: nothing could be checked, or
    with --against the two results name nothing of their workload that could be compared.
    """
    from jivsbench.app.audit import audit_file
    from jivsbench.cli.terminal import print_json

    settings = read_settings(ctx, reports_dir=reports_dir)
    found = audit_file(settings.reports_dir, file, read_registry(settings), Path(mapping) if mapping else None, against)
    if as_json:
        print_json(
            {
                "format": found.format,
                "outcome": _outcome(found),
                "rules": [
                    {
                        "rule": rule,
                        "meaning": rule.meaning,
                        "relations": found.count(rule),
                        "contradictions": _broken(found, rule),
                    }
                    for rule in Rule
                ],
                "contradictions": [asdict(relation) for relation in found.contradictions],
                "relations": [asdict(relation) for relation in found.relations],
            }
        )
    else:
        _print(found, show_all=show_all)
    return _exit_code(found)


def _outcome(found: Audit) -> str:
    if found.contradictions:
        return "CONTRADICTED"
    if found.shares_nothing:
        return "NOTHING_SHARED"
    return "CONSISTENT" if found.relations else "NOTHING_STATED"


def _exit_code(found: Audit) -> ExitCode:
    if found.contradictions:
        return ExitCode.GATE_FAILED
    return ExitCode.PASSED if found.relations and not found.shares_nothing else ExitCode.INVALID


def _broken(found: Audit, rule: Rule) -> int:
    return sum(relation.rule is rule for relation in found.contradictions)


def _print(found: Audit, *, show_all: bool) -> None:
    from jivsbench.cli.terminal import result_console, show

    console = result_console()
    console.print(f"format:  {show(found.format)}")
    for rule in Rule:
        count, broken = found.count(rule), _broken(found, rule)
        if count:
            state, colour = (f"{broken} of {count} contradict", "red") if broken else (f"{count} hold", "green")
            console.print(f"[{colour}]{state:>20}[/]  {rule.value:<12} [dim]{rule.meaning}[/]", soft_wrap=True)
    unstated = ", ".join(rule for rule in Rule if not found.count(rule))
    console.print(f"{'not stated':>20}  {unstated or '-'}", markup=False, soft_wrap=True)
    console.print()
    shown = found.relations if show_all else found.contradictions
    for relation in shown:
        mark = "holds" if relation.holds else "CONTRADICTION"
        console.print(f"{mark} ({relation.rule}) {show(f'{relation.part}: {relation.arithmetic}')}", soft_wrap=True)
    if found.shares_nothing:
        console.print(
            "the two results say nothing of their workload in the same words: whether it was the same is not known",
            soft_wrap=True,
        )
    console.print(
        f"audit:   {_outcome(found)}, {len(found.contradictions)} of {len(found.relations)} relations contradict", markup=False
    )
