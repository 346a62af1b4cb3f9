"""Gate files, waivers, suppressions: what a run is judged by, and which known misses and findings somebody answers for."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from jivsbench.config.document import Section, read_document
from jivsbench.config.scenarios import GATE_FILE_KEYS, QUALITY_GATE, load_scenario, read_gates
from jivsbench.errors import GateError, UnknownNameError
from jivsbench.model.gate import Gate
from jivsbench.model.gate_text import format_gate, parse_gate
from jivsbench.model.inputs import Waiver, WaiverTarget

_SECTIONS: Final = GATE_FILE_KEYS[1:]
# Rows that are lost make every other figure worthless, so nobody can answer for them.
_NEVER_WAIVED: Final = ("rows.lost",)
_ANSWER: Final = ("owner", "reason", "expires")
_FINGERPRINT: Final = re.compile(r".+-[0-9a-f]{16}")


def load_gates(name: str, folders: Sequence[Path]) -> tuple[Gate, ...]:
    """The gates of a scenario, or those of a gate file, named by its path or its name.

    Raises UnknownNameError, ConfigError and GateError.
    """
    path = _find_gate_file(name, folders)
    if path is None:
        return load_scenario(name, folders).gates
    return tuple(read_gates(_read_gate_file(path), None))


def load_sections(name: str, folders: Sequence[Path], sections: Sequence[str]) -> tuple[Gate, ...]:
    """The gates of sections of a gate file. Raises UnknownNameError for one that the file lacks."""
    path = _find_gate_file(name, folders)
    if path is None or not sections:
        return ()
    root = _read_gate_file(path)
    gates: list[Gate] = []
    for section in sections:
        if section not in _SECTIONS or section not in root:
            known = [known for known in _SECTIONS if known in root]
            raise UnknownNameError.among(f"section of {path}", section, known)
        gates += read_gates(root.section(section), None)
    return tuple(gates)


def _read_gate_file(path: Path) -> Section:
    root = read_document(path).root
    root.expect(GATE_FILE_KEYS)
    return root


def _find_gate_file(name: str, folders: Sequence[Path]) -> Path | None:
    if name.endswith(".toml"):
        return Path(name)
    if name != QUALITY_GATE:
        return None
    return next((folder / f"{name}.toml" for folder in folders if (folder / f"{name}.toml").is_file()), None)


def load_waivers(path: Path) -> tuple[Waiver, ...]:
    """Read `[[waivers]]`. Each names one gate or one check, its owner, the reason and the last day; none may be left out."""
    root = read_document(path).root
    root.expect(("waivers",))
    return tuple(_read_waivers(root))


def load_suppressions(path: Path) -> tuple[Waiver, ...]:
    """Read `[[suppressions]]`. Each names one finding by its fingerprint, its owner, the reason and the last day."""
    root = read_document(path).root
    root.expect(("suppressions",))
    return tuple(_read_suppressions(root))


def _read_suppressions(root: Section) -> Iterator[Waiver]:
    seen: set[str] = set()
    for section in root.sections("suppressions"):
        section.expect(("fingerprint", *_ANSWER))
        fingerprint = section.required_text("fingerprint")
        if not _FINGERPRINT.fullmatch(fingerprint):
            section.fail("fingerprint", "it is none: copy one from the report, such as SEC-001-0123456789abcdef")
        if fingerprint in seen:
            section.fail("fingerprint", "it stands here twice: leave one of them out")
        seen.add(fingerprint)
        yield _read_answer(section, WaiverTarget.FINDING, fingerprint)


def _read_answer(section: Section, target: WaiverTarget, name: str) -> Waiver:
    owner, reason, expires = (section.required_text("owner"), section.required_text("reason"), section.required_date("expires"))
    return Waiver(target, name, owner, reason, expires)


def _read_waivers(root: Section) -> Iterator[Waiver]:
    for section in root.sections("waivers"):
        section.expect(("gate", "check", *_ANSWER))
        if ("gate" in section) == ("check" in section):
            section.fail(None, "a waiver is for one gate or for one check: give either 'gate' or 'check'")
        target = WaiverTarget.GATE if "gate" in section else WaiverTarget.CHECK
        name = section.required_text(target.value)
        if target is WaiverTarget.GATE:
            name = _read_gate(section, name)
        yield _read_answer(section, target, name)


def _read_gate(section: Section, text: str) -> str:
    try:
        gate = parse_gate(text)
    except GateError as exc:
        raise GateError(f"{section.place('gate')}: {exc}") from exc
    if gate.metric in _NEVER_WAIVED:
        section.fail("gate", f"{gate.metric} cannot be waived: when rows are lost, no other figure counts")
    return format_gate(gate)
