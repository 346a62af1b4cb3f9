"""Prints what security checks found: a table of all, the findings, the score, what it is evidence for, what nobody looked at."""

from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from jivsbench.app.assessment import Assessment
from jivsbench.cli.terminal import show
from jivsbench.exitcodes import ExitCode
from jivsbench.model.finding import CheckOutcome, Finding
from jivsbench.model.standards import StandardCoverage
from jivsbench.report.views.security import SecurityView, describe_security

_COLOURS: Final = {"PASS": "green", "FAIL": "bold red", "INVALID": "magenta"}
_FIRST_NUMBER: Final = 3
_SHOWN: Final = 20
"""Findings that are printed; all of them are in --json and --sarif."""


def find_exit_code(found: Assessment) -> ExitCode:
    """1 for an open finding or an expired suppression, 4 when nothing is known, 3 when not everything is, else 0."""
    if found.has_open or found.expired:
        return ExitCode.GATE_FAILED
    is_suppressed = found.has(CheckOutcome.FAIL)
    if found.has(CheckOutcome.INVALID) or not (found.has(CheckOutcome.PASS) or is_suppressed):
        return ExitCode.INVALID
    return ExitCode.CONDITIONAL if found.has(CheckOutcome.NOT_TESTED) or is_suppressed else ExitCode.PASSED


def build_json(found: Assessment) -> dict[str, Any]:
    """The whole assessment as plain values."""
    return {
        "is_vulnerable_on_purpose": found.is_vulnerable,
        "score": asdict(found.score) if found.score else None,
        "results": [
            {**asdict(result), "findings": [_describe(found, finding) for finding in result.findings]} for result in found.results
        ],
        "not_run": [check.check_id for check in found.not_run],
        "standards": [_count(standard) for standard in found.standards],
        "expired": list(found.expired),
        "unused_suppressions": list(found.unused),
    }


def _describe(found: Assessment, finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "fingerprint": finding.fingerprint, "suppressed": found.suppressions.explain(finding)}


def _count(coverage: StandardCoverage) -> dict[str, Any]:
    rows = [{"id": row.control.id, "state": row.state, "checks": list(row.checks), "reason": row.reason} for row in coverage.rows]
    standard = coverage.standard
    return {"name": standard.name, "applicable": coverage.applicable, "rows": rows, "rest": standard.rest}


def print_assessment(console: Console, found: Assessment) -> None:
    """The assessment as people read it."""
    security = describe_security(found.results, found.score, found.waivers)
    if found.is_vulnerable:
        console.print("[bold]The target was vulnerable on purpose:[/] nothing here is about a service of yours\n", soft_wrap=True)
    console.print(_build_table(security))
    _print_findings(console, security)
    _print_untested(console, security)
    console.print("\n[bold]Technical evidence for[/] (rows verified / applicable / listed)")
    for standard in security.standards:
        counts = f"{standard.verified} / {standard.applicable} / {standard.listed}"
        failed = f"[bold red]{standard.failed} failed[/], " if standard.is_failed else ""
        told = f"{failed}{standard.not_covered} not covered. [dim]{standard.rest}[/]"
        console.print(f"  {standard.name:<21}  {counts:<12}  {told}", soft_wrap=True)
    _print_score(console, security)
    for text in found.expired:
        console.print(f"[bold red]expired:[/] {show(text)}", soft_wrap=True)
    for name in found.unused:
        console.print(f"[yellow]note:[/] no finding has the suppressed fingerprint {show(name)}: remove it", soft_wrap=True)


def _build_table(security: SecurityView) -> Table:
    """One line a check, on any terminal: only the last column gives way."""
    heads = ("check", "severity", "outcome", "attacks", "reached", "time")
    lines = sorted(security.lines, key=lambda line: line.check_id)
    rows = [(line.check_id, line.severity, line.badge.word, line.attempted, line.reached, line.duration) for line in lines]
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for place, head in enumerate(heads):
        width = max(len(cell[place]) for cell in (heads, *rows))
        table.add_column(head, justify="right" if place >= _FIRST_NUMBER else "left", no_wrap=True, width=width)
    table.add_column("what a pass means", overflow="ellipsis", no_wrap=True, ratio=1)
    for line, row in zip(lines, rows, strict=True):
        cells = [show(cell) for cell in row]
        cells[2] = f"[{_COLOURS.get(line.badge.word, 'yellow')}]{line.badge.word}[/]"
        table.add_row(*cells, show(line.title))
    return table


def _print_findings(console: Console, security: SecurityView) -> None:
    if not security.findings:
        return
    console.print(f"\n[bold]Findings[/] ({len(security.findings)}, the worst first)")
    for finding in security.findings[:_SHOWN]:
        console.print(f"[bold red]{finding.severity}[/] {show(finding.check_id)}  {show(finding.title)}", soft_wrap=True)
        lines = (
            ("evidence", finding.evidence),
            ("again", finding.reproducer),
            ("remedy", finding.remedy),
            ("effect", f"{finding.blocks} {finding.answer}".rstrip()),
            ("fingerprint", finding.fingerprint),
        )
        for name, text in lines:
            if text:
                console.print(f"  [dim]{name:>11}[/]  {show(text)}", soft_wrap=True)
    left = len(security.findings) - _SHOWN
    if left > 0:
        console.print(f"  and {left} more: see --json or --sarif")


def _print_untested(console: Console, security: SecurityView) -> None:
    if security.untested or security.not_run:
        console.print("\n[bold]What was not tested, and why[/]")
    for line in security.untested:
        console.print(f"  {show(line.check_id)}  {line.outcome}: {show(line.reason)}", soft_wrap=True)
    if security.not_run:
        names = ", ".join(line.check_id for line in security.not_run)
        console.print(f"  {security.not_run_note}: {show(names)}", soft_wrap=True)


def _print_score(console: Console, security: SecurityView) -> None:
    score = security.score
    if not score.value:
        console.print(f"\nno score: nothing counts ({security.counts})", soft_wrap=True)
        return
    sums = " + ".join(f"{line.severity} {line.earned}/{line.counted}" for line in score.shares if line.counted != "0")
    console.print(f"\nweights passed of weights counted: {sums}; {score.total}", soft_wrap=True)
    for text in filter(None, (score.cap, score.letter_note)):
        console.print(show(text), soft_wrap=True)
    grade = f", grade [bold]{score.letter}[/]" if score.letter else ""
    console.print(f"score [bold]{score.value}[/] of 100{grade} ({security.counts})", soft_wrap=True)
