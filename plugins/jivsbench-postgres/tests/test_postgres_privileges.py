"""What a role may do too much, on a real server; and that the statements take exactly that away."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from jivsbench.api import PrivilegeTeller, ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_postgres.connector import PostgresConnector

GRANTS = [
    ("ALTER ROLE {role} SUPERUSER", "SUPERUSER"),
    ("ALTER ROLE {role} CREATEDB", "CREATEDB"),
    ("ALTER ROLE {role} CREATEROLE", "CREATEROLE"),
    ("ALTER ROLE {role} REPLICATION", "REPLICATION"),
    ("ALTER ROLE {role} BYPASSRLS", "BYPASSRLS"),
    ("GRANT pg_write_all_data TO {role}", "pg_write_all_data"),
    ("GRANT pg_read_all_data TO {role}", "pg_read_all_data"),
    ("GRANT pg_execute_server_program TO {role}", "pg_execute_server_program"),
    ("GRANT pg_read_server_files TO {role}", "pg_read_server_files"),
    ("GRANT pg_signal_backend TO {role}", "pg_signal_backend"),
    ("GRANT CREATE ON DATABASE {db} TO {role}", "CREATE on database"),
    ("GRANT TEMPORARY ON DATABASE {db} TO PUBLIC", "TEMPORARY on database"),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "CREATE on schema public"),
    ('GRANT INSERT, UPDATE, DELETE, TRUNCATE ON public."Odd ""name" TO {role}', "DELETE, INSERT, TRUNCATE, UPDATE on public."),
    ('GRANT TRIGGER ON public."Odd ""name" TO PUBLIC', "TRIGGER on public."),
    ('GRANT UPDATE (note) ON public."Odd ""name" TO {role}', "UPDATE on column public."),
    ("GRANT USAGE ON SEQUENCE public.numbers TO {role}", "USAGE on public.numbers"),
    ("GRANT EXECUTE ON FUNCTION public.act() TO {role}", "with the rights of its owner"),
    ('GRANT {team} TO {role}; GRANT INSERT ON public."Odd ""name" TO {team}', "INSERT on public."),
    ("CREATE TABLE public.mine (id int); ALTER TABLE public.mine OWNER TO {role}", "owns 1 tables"),
]


@dataclass
class Account:
    """A role with a password, in a database of its own."""

    admin: psycopg.Connection
    url: str
    names: dict[str, str]

    def excess(self):
        """What the connector finds."""
        connection = PostgresConnector().connect(DataSource("main", "postgres", Secret(self.url)), ReadLimits())
        try:
            assert isinstance(connection, PrivilegeTeller)
            return connection.excess_privileges()
        finally:
            connection.close()

    def run(self, sql: str) -> None:
        """As the owner."""
        self.admin.execute(sql.format(**self.names))


@pytest.fixture
def account(embedded_postgres_url: str) -> Iterator[Account]:
    """A role that can only read."""
    names = {
        "role": f'"Clerk {secrets.token_hex(3)}"',
        "team": f"team_{secrets.token_hex(3)}",
        "db": f"books_{secrets.token_hex(3)}",
    }
    with psycopg.connect(embedded_postgres_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {names['db']}")
        server.execute(f"CREATE ROLE {names['role']} LOGIN PASSWORD 'clerk'")
        server.execute(f"CREATE ROLE {names['team']}")
        place = embedded_postgres_url.rpartition("@")[2].rpartition("/")[0]
        with psycopg.connect(embedded_postgres_url.rpartition("/")[0] + f"/{names['db']}", autocommit=True) as admin:
            admin.execute(f"REVOKE TEMPORARY ON DATABASE {names['db']} FROM PUBLIC")
            admin.execute('CREATE TABLE public."Odd ""name" (id int, note text); CREATE SEQUENCE public.numbers')
            admin.execute(
                "CREATE FUNCTION public.act() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';"
                "REVOKE EXECUTE ON FUNCTION public.act() FROM PUBLIC"
            )
            admin.execute(f'GRANT SELECT ON public."Odd ""name" TO {names["role"]}')
            user = names["role"].strip('"').replace(" ", "%20")
            yield Account(admin, f"postgresql://{user}:clerk@{place}/{names['db']}", names)
        server.execute(f"DROP DATABASE {names['db']} WITH (FORCE)")
        server.execute(f"DROP ROLE {names['role']}")
        server.execute(f"DROP ROLE {names['team']}")


def test_a_role_that_can_only_read_has_nothing_too_much(account: Account) -> None:
    """SELECT alone is right."""
    assert account.excess() == ()


@pytest.mark.parametrize(("grant", "words"), GRANTS, ids=[words for _, words in GRANTS])
def test_each_privilege_too_many_is_found_and_its_statement_takes_it_away(account: Account, grant: str, words: str) -> None:
    """Planted, found by its name, and gone after the printed statements were run as the owner."""
    account.run(grant)
    excess = account.excess()

    assert [one for one in excess if words in one.found], excess
    for one in excess:
        account.admin.execute(one.remedy.replace("another_role", "CURRENT_USER"))
    assert account.excess() == ()
    assert account.admin.execute(
        "SELECT has_table_privilege(%s, 'public.\"Odd \"\"name\"', 'SELECT')", [account.names["role"].strip('"')]
    ).fetchone() == (True,)
