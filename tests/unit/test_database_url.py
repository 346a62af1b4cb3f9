"""Databases that this project keeps its own in: the line to another machine is verified."""

import pytest

from jivsbench.extract.jobs.database_url import parse_database_url
from jivsbench.model.secret import Secret


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://jobs:p@db.example.com/jobs", "verify-full"),
        ("postgresql://jobs:p@127.0.0.1/jobs?host=db.example.com", "verify-full"),
        ("postgresql://jobs:p@/jobs?host=127.0.0.1:1&host=10.0.0.9:1", "verify-full"),
        ("postgresql://jobs:p@db.example.com/jobs?sslmode=disable", "disable"),
        ("postgresql://jobs:p@127.0.0.1:5433/jobs", None),
        ("postgresql:///jobs?host=/run/postgresql", None),
        ("postgresql://jobs:p@127.0.0.1/jobs?sslrootcert=/ca.pem", "verify-full"),
        ("postgresql:///jobs?service=elsewhere", "verify-full"),
        ("sqlite:///jobs.db", None),
    ],
)
def test_a_line_to_another_machine_is_verified_unless_the_url_says_otherwise(url: str, mode: str | None) -> None:
    """As for sources."""
    assert parse_database_url(Secret(url), "the job store").query.get("sslmode") == mode


@pytest.mark.parametrize(("variable", "value"), [("PGHOST", "db.example.com"), ("PGHOSTADDR", "10.0.0.7"), ("PGSERVICE", "shop")])
def test_a_host_that_the_environment_names_is_another_machine(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is where libpq goes when the URL names none; what a service of the user's names, nobody reads here."""
    monkeypatch.setenv(variable, value)

    assert parse_database_url(Secret("postgresql:///jobs"), "the job store").query.get("sslmode") == "verify-full"
    assert "sslmode" not in parse_database_url(Secret("postgresql://127.0.0.1/jobs"), "the job store").query
    assert "sslmode" not in parse_database_url(Secret("postgresql:///jobs?host=/run/postgresql"), "the job store").query
