"""run.json: what it holds, how it is written and read, and its published JSON Schema."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from jivsbench.model.record import FORMAT_VERSION, Plan, RunRecord, RunStart
from jivsbench.model.summary import Summary, Verdict

_TITLE: Final = "run.json of jivsbench"
_DESCRIPTION: Final = (
    "One run: `record` is everything that was measured, `summary` and `verdict` are what was concluded from it and can be "
    "computed again from the record alone. Names end in their unit: _ns, _ms, _s, _bytes; a _ratio lies between 0 and 1. "
    "null means that nothing was measured."
)


@dataclass(frozen=True, slots=True)
class RunFile:
    """The whole file. Readers go by `format_version` before anything else."""

    format_version: int
    record: RunRecord
    summary: Summary
    verdict: Verdict


def dump_run(record: RunRecord, summary: Summary, verdict: Verdict) -> bytes:
    """The file's bytes; the same run always gives the same ones."""
    return _run_adapter().dump_json(RunFile(FORMAT_VERSION, record, summary, verdict), indent=1) + b"\n"


def parse_run(content: bytes) -> RunFile:
    """Read the bytes back. Raises pydantic.ValidationError; types are taken as they stand, nothing is converted."""
    return _run_adapter().validate_json(content, strict=True)


def dump_plan(plan: Plan) -> bytes:
    """The bytes of plan.json."""
    return TypeAdapter(Plan).dump_json(plan, indent=1) + b"\n"


def dump_start(start: RunStart) -> bytes:
    """The bytes of start.json."""
    return TypeAdapter(RunStart).dump_json(start, indent=1) + b"\n"


def parse_start(content: bytes) -> RunStart:
    """Read them back. Raises pydantic.ValidationError."""
    return TypeAdapter(RunStart).validate_json(content, strict=True)


def run_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of run.json. docs/run.schema.json is a copy of it."""
    schema = _run_adapter().json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _TITLE, "description": _DESCRIPTION}
    return {**schema, **head}


@cache
def _run_adapter() -> TypeAdapter[RunFile]:
    # Building it costs tens of milliseconds, so not at import.
    return TypeAdapter(RunFile)
