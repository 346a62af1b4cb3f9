"""Reads controls.toml: which checks there are, what each is evidence for, and what to do when one fails."""

from functools import cache
from pathlib import Path
from typing import Final

from jivsbench.config.document import Section, read_document
from jivsbench.model.finding import Severity
from jivsbench.model.standards import Catalogue, CheckFacts, Control, Standard

_FILE: Final = Path(__file__).with_name("controls.toml")


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that comes with this version."""
    return read_catalogue(_FILE)


def read_catalogue(path: Path) -> Catalogue:
    """A catalogue. Raises ConfigError for a check that names a row, or a standard, which the file does not list."""
    root = read_document(path).root
    root.expect(("standards", "checks"))
    listed = root.section("standards")
    standards = tuple(_read_standard(key, listed.section(key)) for key in listed.keys)
    checks = root.section("checks")
    return Catalogue(standards, tuple(_read_check(key, checks.section(key), standards) for key in checks.keys))


def _read_standard(key: str, section: Section) -> Standard:
    section.expect(("name", "rest", "controls"))
    controls = section.section("controls")
    return Standard(
        key,
        section.required_text("name"),
        section.required_text("rest"),
        tuple(_read_control(name, controls) for name in controls.keys),
    )


def _read_control(name: str, controls: Section) -> Control:
    if not controls.is_table(name):
        return Control(name, controls.required_text(name))
    table = controls.section(name)
    table.expect(("text", "not_by_attack", "does_not_apply"))
    return Control(name, table.required_text("text"), table.text("not_by_attack") or "", table.text("does_not_apply") or "")


def _read_check(check_id: str, section: Section, standards: tuple[Standard, ...]) -> CheckFacts:
    section.expect(("title", "severity", "remedy", *(standard.key for standard in standards)))
    controls = []
    for standard in standards:
        rows = section.texts(standard.key) or ()
        unknown = sorted(set(rows) - {control.id for control in standard.controls})
        if unknown:
            section.fail(standard.key, f"{standard.name} lists no {', '.join(unknown)}: add it to its controls")
        if rows:
            controls.append((standard.key, rows))
    return CheckFacts(
        check_id,
        section.required_text("title"),
        Severity(section.choice("severity", tuple(Severity), Severity.HIGH)),
        section.required_text("remedy"),
        tuple(controls),
    )
