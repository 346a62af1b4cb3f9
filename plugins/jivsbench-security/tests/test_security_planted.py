"""The oracles of the checks that plant a schema: each can say no."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pytest

from jivsbench.api import Response
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_security.hostile_check import CountedSession, Tally
from jivsbench_security.limits.session_state import POISONS, Scene, SessionStateCheck, to_state
from jivsbench_security.own_sessions import ask_user, open_session
from jivsbench_security.sql.identifier_cast import (
    COLUMNS,
    NamePlan,
    expect_rows,
    list_absent,
    list_tables,
    plan_names,
    plant_tables,
)
from jivsbench_security.sql.identifiers import IdentifierCheck, watch_bystander
from jivsbench_security.sql.planted_attack import PlantedAttack, iterate_rows
from jivsbench_security.sql.planted_schema import DONE, plant_schema
from jivsbench_security.sql.raw_query import RawQueryCheck
from jivsbench_security.sql.read_only import ReadOnlyCheck, _Scene, try_statement
from jivsbench_security.sql.smuggling import SmugglingCheck, tell_powers
from jivsbench_security.sql.smuggling_texts import SMUGGLING
from jivsbench_security.sql.stacked_statements import StackedStatementsCheck
from jivsbench_security.sql.transaction_ids import takes_ids
from jivsbench_security.sql.write_routes import EFFECTS, EXCESS, REMEDIES, ROUTES, STACKED_ROUTES


@pytest.fixture
def schema(embedded_postgres_url):
    """A planted schema."""
    with plant_schema(Secret(embedded_postgres_url)) as planted:
        planted.run_statement("CREATE SEQUENCE {schema}.numbers")
        yield planted


def test_a_view_of_attempts_tells_what_the_server_said(schema):
    """Done, or the SQLSTATE; the canary is seen to die, and all is gone at the end."""
    attempts = {"read": "SELECT 1", "missing": "SELECT * FROM nowhere", "quoted": "SELECT '{x}%s'"}
    attempts["kill"] = "DROP TABLE {schema}.canary"
    schema.plant_attempts("attempts", attempts)

    assert schema.is_canary_alive()
    outcomes = dict(schema.run_statement("SELECT label, outcome FROM {schema}.attempts"))
    assert outcomes == {"read": DONE, "missing": "42P01", "quoted": DONE, "kill": DONE}
    assert not schema.is_canary_alive()


def test_nothing_of_a_planted_schema_stays(embedded_postgres_url):
    """Also after an error inside the block."""
    with pytest.raises(ZeroDivisionError), plant_schema(Secret(embedded_postgres_url)) as planted:
        raise ZeroDivisionError
    with psycopg.connect(embedded_postgres_url) as session:
        found = session.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (planted.name,)).fetchone()

    assert found == (0,)


def test_the_scan_of_the_role_finds_an_owner(schema):
    """A superuser may do everything; the list says so."""
    held = " ".join(str(one) for (one,) in schema.run_statement(EXCESS))

    assert "database: TEMPORARY" in held
    assert "pg_execute_server_program" in held


def test_every_effect_is_seen_and_taken_away(schema):
    """What the routes leave behind, made by hand: the oracle names each, and the remedies remove what outlives the schema."""
    made = ["SELECT lo_create({large_object})", "CREATE TABLE {schema}.loot (id int)", "CREATE SCHEMA {schema}_x"]
    made += ["CREATE ROLE {schema}_x", "ALTER ROLE {schema}_x SET jivsbench.poison = '{schema}'"]
    made += ["SELECT nextval('{schema}.numbers')"]

    def run(text):
        return schema.run_statement(text.replace("{large_object}", "3999999999"))

    assert run(EFFECTS) == []
    for statement in made:
        run(statement)
    assert len(run(EFFECTS)) == 6
    for remedy in REMEDIES:
        run(remedy)
    assert {str(effect) for (effect,) in run(EFFECTS)} == {f"the relation {schema.name}.loot was made", "the sequence moved"}


def test_a_statement_is_tried_and_rolled_back(schema):
    """A write by the owner is done, and undone."""
    assert try_statement(schema.owner, f"DELETE FROM {schema.name}.canary") == DONE
    assert try_statement(schema.owner, "SELECT * FROM nowhere") == "42P01"
    assert schema.is_canary_alive()


def read_bystander(schema):
    """A session of the owner's that waits for the lock."""
    with psycopg.connect(schema.owner_url.reveal()) as session:
        reader = threading.Thread(target=session.execute, args=(f"SELECT * FROM {schema.name}.bystander".encode(),))
        reader.start()
        reader.join(timeout=5.0)
    assert not reader.is_alive()


def test_the_bystander_is_seen_to_be_touched(schema):
    """A session that reads it waits, is told of, and may go on."""
    plant_tables(schema)
    with watch_bystander(schema, ask_user(schema.owner_url)) as watch:
        watch.begin([NamePlan("asked.for")])
        read_bystander(schema)

    assert len(watch.touches) == 1
    assert "asked.for" in watch.touches[0]


def test_the_bystander_is_left_alone_by_who_reads_others(schema):
    """No false alarm: not by another table, and not by another user, as a backup is."""
    plant_tables(schema)
    with ThreadPoolExecutor(1) as beside:
        with watch_bystander(schema, "somebody_else") as watch:
            backup = beside.submit(read_bystander, schema)
            schema.run_statement("SELECT * FROM {schema}.canary")
            time.sleep(0.2)
        backup.result()

    assert watch.touches == []


def test_a_watch_that_broke_off_saw_nothing(schema):
    """The server ends its session: nobody may say that nothing was touched."""
    plant_tables(schema)
    end_it = (
        "SELECT pg_terminate_backend(l.pid), pg_sleep(0.2) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
        "WHERE c.relname = 'bystander' AND l.granted AND c.relnamespace = '{schema}'::regnamespace"
    )
    with pytest.raises(InvalidRunError, match="broke off"), watch_bystander(schema, "somebody"):
        schema.run_statement(end_it)


def test_a_planted_schema_goes_whoever_holds_it(embedded_postgres_url):
    """A job that still reads a view, and an owner's session that an attack has ended."""
    url = Secret(embedded_postgres_url)
    with closing(open_session(url)) as holder, open_session(url) as other:
        with plant_schema(url) as planted:
            holder.execute(f"BEGIN; LOCK TABLE {planted.name}.canary IN ACCESS SHARE MODE".encode())
            other.execute("SELECT pg_terminate_backend(%s)", (planted.owner.info.backend_pid,))
        found = other.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (planted.name,)).fetchone()

    assert found == (0,)


def test_a_source_in_which_no_schema_can_be_made_is_not_tested(embedded_postgres_url):
    """With the reason, and what to do."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE jivsbench_landless LOGIN PASSWORD 'x'")
        url = Secret(f"postgresql://jivsbench_landless:x@{embedded_postgres_url.partition('@')[2]}")
        try:
            source = DataSource("main", "postgres", url)
            context = SimpleNamespace(dialect="postgres", seed=1, wire=object(), data_source=lambda: source)
            result = SmugglingCheck().run(context)
        finally:
            owner.execute("DROP ROLE jivsbench_landless")

    assert result.outcome is CheckOutcome.NOT_TESTED
    assert "may not make a schema" in result.reason
    assert "give the check a source" in result.reason


def test_what_a_server_does_not_have_was_refused_to_nobody(schema):
    """Only the server's no is a refusal; what was not tried is not counted as met."""
    attack = PlantedAttack(SmugglingCheck(), SimpleNamespace(target=None), schema)
    outcomes = {"a": DONE, "b": "42501", "c": "25006", "d": "42883"}

    assert attack.count_outcomes([*outcomes, "e"], outcomes) == {"a"}
    assert attack.tally == Tally(tried=4, reached=3, refused=2, unmade=1)


def test_transaction_ids_of_others_are_not_the_jobs(schema):
    """On a quiet server whoever takes one is seen; on one that others write to nobody can tell."""
    takes = "SELECT pg_current_xact_id()"
    quiet = [takes_ids(schema.owner, lambda text=text: schema.run_statement(text)) for text in (takes, "SELECT 1")]
    is_over, has_written = threading.Event(), threading.Event()

    def write() -> None:
        with open_session(schema.owner_url) as other:
            while not is_over.is_set():
                other.execute(takes.encode())
                has_written.set()

    def await_writes() -> None:
        # The first may have begun before.
        for _ in range(2):
            has_written.clear()
            assert has_written.wait(10)

    with ThreadPoolExecutor(1) as beside:
        busy = beside.submit(write)
        await_writes()
        found = takes_ids(schema.owner, await_writes)
        is_over.set()
        busy.result()

    assert quiet == [True, False]
    assert found is None


def test_a_job_that_did_not_poison_its_session_proves_nothing(schema):
    """A full pool, say: no leak was seen, and no attack made."""
    target = SimpleNamespace(call=lambda *_: Response(429, {"slug": "queue-full"}))
    attack = PlantedAttack(SessionStateCheck(), SimpleNamespace(target=target, source="main"), schema)
    scene = Scene(attack, "nobody", frozenset())
    for must_fail in (False, True):
        with pytest.raises(InvalidRunError, match="queue-full"):
            scene.poison("poison", POISONS, must_fail=must_fail)

    assert attack.attempted == 0


def test_only_the_object_of_exactly_that_name_may_answer():
    """The first dot separates; every other spelling is to be refused."""
    tables = list_tables("s")

    assert expect_rows(NamePlan("s.plain", ("whose",)), tables, "s") == {"whose": "plain|whose"}
    assert expect_rows(NamePlan("s.s.plain", ("whose",)), tables, "s") == {"whose": "s.plain|whose"}
    assert expect_rows(NamePlan("s.plain", filter_column="Whose"), tables, "s") == {c: f"plain|{c}" for c in COLUMNS}
    for plan in (
        NamePlan("S.plain"),
        NamePlan("plain"),
        NamePlan("s.plain", ("WHOSE",)),
        NamePlan("s.plain", filter_column="ctid"),
        *(NamePlan(f"s.{name}") for name in list_absent("s")),
    ):
        assert expect_rows(plan, tables, "s") is None, plan


def test_the_lists_have_their_sizes():
    """At least 25 ways to write, 40 texts that smuggle, 12 poisons, and 90 requests with odd names; no label twice."""
    assert len(ROUTES) + len(STACKED_ROUTES) >= 25
    assert len({one.label for one in SMUGGLING}) == len(SMUGGLING) >= 40
    assert len({route.label for route in ROUTES}) == len(ROUTES)
    assert len(POISONS) >= 12
    assert len(list(plan_names("s", random.Random(1), is_full=False))) >= 90
    assert len(list(plan_names("s", random.Random(1), is_full=True))) >= 2_000


@pytest.mark.parametrize("check", [IdentifierCheck, StackedStatementsCheck, SmugglingCheck, ReadOnlyCheck, SessionStateCheck])
def test_other_sources_are_left_out_with_a_reason(check):
    """No SQL: nothing to attack. Another server, a list of tables, or no record of the wire: not tested, which is no credit."""
    source = DataSource("main", "postgres", Secret("postgresql://nobody@127.0.0.1:1/none"))
    context = SimpleNamespace(dialect="postgres", seed=1, wire=None, data_source=lambda: replace(source, tables=("orders",)))
    listed = check().run(context)
    foreign = check().run(
        SimpleNamespace(**vars(context) | {"dialect": "mysql", "data_source": lambda: replace(source, connector="m")})
    )
    files = check().run(SimpleNamespace(**vars(context) | {"dialect": ""}))

    assert [listed.outcome, foreign.outcome] == [CheckOutcome.NOT_TESTED] * 2
    assert files.outcome is CheckOutcome.NOT_APPLICABLE
    assert listed.reason
    assert foreign.reason != listed.reason


def test_sql_that_the_corpus_does_not_speak_is_not_tested():
    """It could be attacked: leaving it out is no answer. A source without SQL has nothing to attack."""
    outcomes = [RawQueryCheck().run(SimpleNamespace(dialect=dialect, seed=1)).outcome for dialect in ("cobol", "")]

    assert outcomes == [CheckOutcome.NOT_TESTED, CheckOutcome.NOT_APPLICABLE]


def test_a_row_that_is_read_twice_counts_once():
    """The first outcome is the one that matters; a failed extraction has none."""
    rows = [{"label": "a", "outcome": DONE}, {"label": "a", "outcome": "42P05"}]

    assert list(iterate_rows(rows)) == [("a", DONE)]
    assert list(iterate_rows(None)) == []


def test_a_state_knows_no_process():
    """Two sessions that are alike are equal."""
    assert to_state([{"pid": "1", "label": "role", "value": "x"}]) == to_state([{"pid": "2", "label": "role", "value": "x"}])


def test_another_way_to_write_is_another_finding():
    """Who answers for one route that the role may take answers for no other, though both are told by the same first one."""
    session = CountedSession(ReadOnlyCheck())
    scene = _Scene(session, None)

    for done in (ROUTES[:1], ROUTES[:1], ROUTES[:3]):
        scene._tell("the target's role may write", "in a transaction of the role", done)

    first, again, other = (finding.fingerprint for finding in session.findings)
    assert first == again != other


def test_another_power_of_the_role_is_another_finding():
    """Also one that stands behind many others, where the title has no room for it."""
    session = CountedSession(SmugglingCheck())
    bound = {one.label: one.text for one in SMUGGLING}
    labels = list(bound)

    for allowed in ([], labels[:20], labels[:20], labels[:21]):
        tell_powers(session, bound, allowed)

    first, again, other = (finding.fingerprint for finding in session.findings)
    assert first == again != other
