"""The sample in reports/sample, which is there to be audited by whoever reads it."""

from pathlib import Path

from jivsbench.app.audit import audit_file
from jivsbench.plugins import load_registry

SAMPLE = Path(__file__).resolve().parents[2] / "reports" / "sample"


def test_nothing_contradicts_the_published_sample() -> None:
    """What today's code computes and renders is what lies there. If not: `make sample`."""
    audit = audit_file(SAMPLE.parent, str(SAMPLE), load_registry())

    assert [relation.arithmetic for relation in audit.contradictions] == []
    assert len(audit.relations) > 300
