"""run.json: whatever a run holds survives it, and its published schema says the truth."""

import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Summary, Verdict
from jivsbench.report.run_file import RunFile, dump_run, parse_run, run_schema
from tests.gold.record_strategy import values_of
from tests.gold.sample_runs import SAMPLES

COPY = Path(__file__).resolve().parents[2] / "docs" / "run.schema.json"
# A validator in plain Python is seven times slower when it is traced; other tests cover what is validated.
pytestmark = pytest.mark.no_cover

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(run_schema())


def test_the_committed_schema_is_todays() -> None:
    """docs/run.schema.json equals run_schema(); the message says how to write it again."""
    today = json.dumps(run_schema(), indent=1) + "\n"

    assert COPY.read_text() == today, (
        'write it again: python -c "import json; from jivsbench.report.run_file import run_schema; '
        'print(json.dumps(run_schema(), indent=1))" > docs/run.schema.json'
    )


def test_the_schema_is_itself_valid() -> None:
    """The schema obeys its own draft and says what it is for."""
    schema = run_schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["title"] == "run.json of jivsbench"
    assert set(schema["required"]) == {"format_version", "record", "summary", "verdict"}


@settings(max_examples=60, suppress_health_check=_SLOW, deadline=None)
@given(values_of(RunRecord), values_of(Summary), values_of(Verdict))
def test_any_run_survives_json(record: RunRecord, summary: Summary, verdict: Verdict) -> None:
    """What is read back equals what was written, and the published schema accepts it."""
    content = dump_run(record, summary, verdict)

    assert parse_run(content) == RunFile(1, record, summary, verdict)
    _validator().validate(json.loads(content))


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_runs_survive_json(name: str) -> None:
    """Whole runs, with their histograms and hostile names, come back as they were."""
    sample = SAMPLES[name]()
    content = dump_run(sample.record, sample.summary, sample.verdict)

    assert parse_run(content).record == sample.record
    _validator().validate(json.loads(content))


def test_the_schema_refuses_another_file() -> None:
    """A file with a field of the wrong type does not validate."""
    sample = SAMPLES["no_data"]()
    found = json.loads(dump_run(sample.record, sample.summary, sample.verdict))
    found["record"]["plan"]["seed"] = "twelve"

    with pytest.raises(jsonschema.ValidationError, match="twelve"):
        _validator().validate(found)
