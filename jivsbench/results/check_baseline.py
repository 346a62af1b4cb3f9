"""The SARIF of an earlier `jivsbench check`, to tell what is new."""

from pathlib import Path
from typing import Any

from jivsbench.errors import ConfigError
from jivsbench.model.finding import FINGERPRINT_KEY, EarlierResult
from jivsbench.results.written import load_json, read_text


def read_baseline(path: Path) -> tuple[EarlierResult, ...]:
    """Every result that was there then. Raises ConfigError naming a file that `jivsbench check --sarif` did not write."""
    refusal = f"{path} is no file that 'jivsbench check --sarif' wrote"
    try:
        document: Any = load_json(read_text(path))
        results = [result for run in document["runs"] for result in run.get("results") or ()]
        found = tuple(_read(result) for result in results if result.get("baselineState") != "absent")
    except ConfigError as exc:
        raise ConfigError(f"{refusal} ({exc}): name one as the baseline") from exc
    except (LookupError, TypeError, AttributeError) as exc:
        raise ConfigError(f"{refusal} ({exc!r}): name one as the baseline") from exc
    if not found:
        raise ConfigError(f"{refusal}: it has no result, so everything would be new")
    return found


def _read(result: Any) -> EarlierResult:
    is_open = result.get("kind", "fail") == "fail"
    return EarlierResult(
        str(result["ruleId"]), str(result["partialFingerprints"][FINGERPRINT_KEY]), is_open, str(result["message"]["text"])
    )
