"""The doctor names what a source's user may do too much, with the statements that take it away."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner

from jivsbench.cli.root import root
from tests.service.service_bench import OTHERS


@pytest.fixture
def own_clerk(admin: psycopg.Connection, embedded_postgres_url: str) -> Iterator[str]:
    """URL of a role with a table of its own to write to."""
    admin.execute("CREATE ROLE grants_clerk LOGIN PASSWORD 'S3cret-clerk'")
    admin.execute("CREATE TABLE public.grants_ledger (id int)")
    admin.execute("GRANT SELECT, INSERT, DELETE ON public.grants_ledger TO grants_clerk")
    yield f"postgresql://grants_clerk:S3cret-clerk@{embedded_postgres_url.rpartition('@')[2]}"
    admin.execute("DROP TABLE public.grants_ledger")
    admin.execute("DROP ROLE grants_clerk")


def test_the_doctor_prints_grants_and_their_remedies(own_clerk: str, monkeypatch) -> None:
    """As text and as JSON, without the password; too many privileges are no reason not to start."""
    monkeypatch.setenv("JIVSBENCH_DISABLE_PLUGINS", ",".join({*OTHERS["postgres"]} - {"builtin"}))
    monkeypatch.setenv("JIVSBENCH_SOURCE_URL", own_clerk)
    shown = CliRunner().invoke(root, ["doctor"], standalone_mode=False)
    listed = CliRunner().invoke(root, ["doctor", "--json"], standalone_mode=False)
    (grants,) = [one for one in json.loads(listed.output) if one["subject"] == "grants"]

    assert "DELETE, INSERT on public.grants_ledger" in shown.output
    assert "REVOKE DELETE, INSERT ON TABLE public.grants_ledger FROM grants_clerk;" in shown.output
    assert "REVOKE DELETE, INSERT ON TABLE public.grants_ledger FROM grants_clerk" in grants["remedies"]
    assert (grants["is_good"], grants["is_fatal"]) == (False, False)
    assert "S3cret" not in shown.output + listed.output
