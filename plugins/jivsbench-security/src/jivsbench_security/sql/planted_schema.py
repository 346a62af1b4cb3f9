"""A schema of a check's own in a PostgreSQL source: a canary, and views that act in whatever session reads them.

A guard sees the name of a view and nothing more. What its functions try happens in the target's own session, behind every
guard, and the server says how it ended: that is how a check finds out what the session and the role behind the guard allow.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench_security.own_sessions import making, open_session

CANARY: Final = "canary"
CANARY_ROWS: Final = ((1, "alive"), (2, "untouched"))
DONE: Final = "done"
_ATTEMPT: Final = """
CREATE FUNCTION {schema}.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $attempt$
BEGIN
  EXECUTE statement;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END
$attempt$
"""
_END_HOLDERS: Final = """
SELECT pg_catalog.pg_terminate_backend(l.pid)
  FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
 WHERE c.relnamespace = %s::regnamespace AND l.pid <> pg_catalog.pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class PlantedSchema:
    """The schema, and the owner's session that made it and watches it."""

    owner: psycopg.Connection
    owner_url: Secret
    name: str

    def locate(self, table: str) -> str:
        """The name of a table or view, as a request for an extraction gives it."""
        return f"{self.name}.{table}"

    def run_statement(self, text: str) -> list[tuple[object, ...]]:
        """Run a statement as the owner, with `{schema}` filled in. Returns its rows."""
        cursor = self.owner.execute(text.replace("{schema}", self.name).encode())
        return cursor.fetchall() if cursor.description else []

    def plant_view(self, name: str, query: str) -> None:
        """A view that everybody may read."""
        self.run_statement(f"CREATE VIEW {{schema}}.{name} AS {query}")
        self.run_statement(f"GRANT SELECT ON {{schema}}.{name} TO PUBLIC")

    def plant_attempts(self, name: str, statements: Mapping[str, str]) -> None:
        """A view whose reader attempts each statement: rows of (label, outcome, pid); outcome is "done" or a SQLSTATE.

        Who counts its rows may attempt them once more.
        """
        rows = sql.SQL(", ").join(
            sql.SQL("({}, {})").format(label, text.replace("{schema}", self.name)) for label, text in statements.items()
        )
        values = rows.as_string(self.owner)
        self.plant_view(
            name,
            f"SELECT a.label, {{schema}}.attempt(a.statement) AS outcome, pg_backend_pid()::text AS pid "  # noqa: S608 - literals
            f"FROM (VALUES {values}) a (label, statement)",
        )

    def is_canary_alive(self) -> bool:
        """True while the canary's rows are what they were."""
        try:
            return self.run_statement("SELECT id, note FROM {schema}.canary ORDER BY id") == list(CANARY_ROWS)
        except psycopg.errors.UndefinedTable:
            return False


@contextmanager
def plant_schema(url: Secret) -> Iterator[PlantedSchema]:
    """The schema, gone at the end of the block. Raises SourceUnfitError when the user may not make one."""
    with open_session(url) as owner:
        schema = PlantedSchema(owner, url, f"jivsbench_{secrets.token_hex(5)}")
        with making("a schema"):
            schema.run_statement("CREATE SCHEMA {schema}")
        try:
            schema.run_statement("GRANT USAGE ON SCHEMA {schema} TO PUBLIC")
            schema.run_statement("CREATE TABLE {schema}.canary (id int PRIMARY KEY, note text NOT NULL)")
            schema.run_statement("INSERT INTO {schema}.canary VALUES (1, 'alive'), (2, 'untouched')")
            schema.run_statement("GRANT SELECT ON {schema}.canary TO PUBLIC")
            schema.run_statement(_ATTEMPT)
            # Some servers take this from everybody by default privileges.
            schema.run_statement("GRANT EXECUTE ON FUNCTION {schema}.attempt(text) TO PUBLIC")
            yield schema
        finally:
            _take_away(schema)


def _take_away(schema: PlantedSchema) -> None:
    """Also when the attack has ended the owner's session, or a session of the target still holds something of the schema.

    Raises InvalidRunError when it stays.
    """
    try:
        with open_session(schema.owner_url) as session:
            try:
                _drop(session, schema.name)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
                with suppress(psycopg.errors.InsufficientPrivilege):
                    session.execute(_END_HOLDERS, (schema.name,))
                _drop(session, schema.name)
    except psycopg.Error as error:
        told = f"the schema {schema.name} could not be taken away (SQLSTATE {error.sqlstate})"
        raise InvalidRunError(f"{told}: drop it by hand") from error


def _drop(session: psycopg.Connection, name: str) -> None:
    session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
