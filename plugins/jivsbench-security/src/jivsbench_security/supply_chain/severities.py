"""How bad an advisory says it is: the word that it uses, or the base score of its CVSS 3 vector."""

import math
from collections.abc import Mapping
from typing import Any, Final

from jivsbench.model.finding import Severity

_WORDS: Final = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.HIGH,
    "MODERATE": Severity.MEDIUM,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
}
_WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES: Final = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def read_severity(record: Mapping[str, Any]) -> Severity | None:
    """The severity of an OSV record; None when it states none that can be read here (CVSS 4 alone, or nothing)."""
    specific = record.get("database_specific") or {}
    word = _WORDS.get(str(specific.get("severity", "")).upper())
    if word is not None:
        return word
    scores = [score_vector(str(one.get("score", ""))) for one in record.get("severity") or () if one.get("type") == "CVSS_V3"]
    known = [score for score in scores if score is not None]
    return rate_score(max(known)) if known else None


def rate_score(score: float) -> Severity:
    """CVSS 3.1 specification, section 5: the rating of a base score."""
    if score >= 9.0:  # noqa: PLR2004 - the specification's table
        return Severity.CRITICAL
    if score >= 7.0:  # noqa: PLR2004 - the same
        return Severity.HIGH
    return Severity.MEDIUM if score >= 4.0 else Severity.LOW  # noqa: PLR2004 - the same


def score_vector(vector: str) -> float | None:
    """CVSS 3.1 specification, section 7.1: the base score of a vector; None for what is none."""
    parts = dict(part.partition(":")[::2] for part in vector.split("/"))
    try:
        scope = parts["S"]
        weights = {name: table[parts[name]] for name, table in _WEIGHTS.items()}
        privileges = _PRIVILEGES[scope][parts["PR"]]
    except KeyError:
        return None
    loss = 1 - (1 - weights["C"]) * (1 - weights["I"]) * (1 - weights["A"])
    impact = 6.42 * loss if scope == "U" else 7.52 * (loss - 0.029) - 3.25 * (loss - 0.02) ** 15
    if impact <= 0:
        return 0.0
    ease = 8.22 * weights["AV"] * weights["AC"] * privileges * weights["UI"]
    return _round_up(min((impact + ease) * (1.0 if scope == "U" else 1.08), 10.0))


def _round_up(value: float) -> float:
    # Appendix A of the specification: in whole hundred-thousandths, so that no machine's arithmetic makes a 4.02 of a 4.0.
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (math.floor(whole / 10_000) + 1) / 10.0
