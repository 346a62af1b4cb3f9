"""The ways to write, or to act on a server, that SEC-006 tries; `{schema}` is the schema that the check planted."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """One way. What a role without rights cannot be refused on its own the session has to refuse."""

    label: str
    text: str
    is_role_bound: bool = True
    """True when a role that may only read must be refused whatever its session is like."""
    is_session_bound: bool = True
    """True when a read-only transaction, or the role, must refuse it inside a function."""


LARGE_OBJECT: Final = "large object"
ROUTES: Final = (
    WriteRoute("insert", "INSERT INTO {schema}.canary VALUES (3, 'new')"),
    WriteRoute("update", "UPDATE {schema}.canary SET note = 'taken'"),
    WriteRoute("delete", "DELETE FROM {schema}.canary"),
    WriteRoute("truncate", "TRUNCATE {schema}.canary"),
    WriteRoute("merge", "MERGE INTO {schema}.canary c USING (SELECT 1 AS id) s ON c.id = s.id WHEN MATCHED THEN DELETE"),
    WriteRoute("writing CTE", "WITH d AS (DELETE FROM {schema}.canary RETURNING id) SELECT id FROM d"),
    WriteRoute("explain analyze", "EXPLAIN ANALYZE DELETE FROM {schema}.canary"),
    WriteRoute("do block", "DO $$ BEGIN DELETE FROM {schema}.canary; END $$"),
    WriteRoute("select into", "SELECT 1 AS id INTO {schema}.loot"),
    WriteRoute("create table as", "CREATE TABLE {schema}.loot AS SELECT 1 AS id"),
    WriteRoute("create table", "CREATE TABLE public.{schema}_loot (id int)"),
    WriteRoute("temporary table", "CREATE TEMPORARY TABLE loot (id int)"),
    WriteRoute("create schema", "CREATE SCHEMA {schema}_x"),
    WriteRoute("create function", "CREATE FUNCTION {schema}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    WriteRoute("create role", "CREATE ROLE {schema}_x SUPERUSER"),
    WriteRoute("alter table", "ALTER TABLE {schema}.canary ADD COLUMN loot text"),
    WriteRoute("drop table", "DROP TABLE {schema}.canary"),
    WriteRoute("comment", "COMMENT ON TABLE {schema}.canary IS 'taken'"),
    WriteRoute("grant", "GRANT ALL ON {schema}.canary TO PUBLIC", is_role_bound=False),
    WriteRoute("row lock", "SELECT id FROM {schema}.canary FOR UPDATE"),
    WriteRoute("table lock", "LOCK TABLE {schema}.canary IN ACCESS EXCLUSIVE MODE"),
    WriteRoute("sequence", "SELECT nextval('{schema}.numbers')"),
    WriteRoute("set sequence", "SELECT setval('{schema}.numbers', 1000)"),
    WriteRoute("copy from program", "COPY {schema}.canary FROM PROGRAM 'true'"),
    WriteRoute("copy to program", "COPY {schema}.canary TO PROGRAM 'cat'"),
    WriteRoute("terminate backend", "SELECT pg_terminate_backend({bystander})"),
    WriteRoute("cancel backend", "SELECT pg_cancel_backend({bystander})"),
    WriteRoute("server setting", "ALTER SYSTEM SET work_mem = '8MB'"),
    WriteRoute("reload", "SELECT pg_reload_conf()"),
    # Everybody may do these in a transaction that may write.
    WriteRoute("own setting", "ALTER ROLE CURRENT_USER SET jivsbench.poison = '{schema}'", is_role_bound=False),
    WriteRoute(LARGE_OBJECT, "SELECT lo_create({large_object})", is_role_bound=False),
    WriteRoute(f"{LARGE_OBJECT} with bytes", "SELECT lo_from_bytea({large_object}, 'x')", is_role_bound=False),
    WriteRoute("read-write", "SET TRANSACTION READ WRITE", is_role_bound=False),
    WriteRoute("read-write setting", "SELECT set_config('transaction_read_only', 'off', false)", is_role_bound=False),
    # And these in any: what they leave behind must end with the job.
    WriteRoute("notify", "NOTIFY {schema}, 'taken'", is_role_bound=False, is_session_bound=False),
    WriteRoute("notify function", "SELECT pg_notify('{schema}', 'taken')", is_role_bound=False, is_session_bound=False),
    WriteRoute(
        "session read-write",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        is_role_bound=False,
        is_session_bound=False,
    ),
    WriteRoute(
        "default read-write",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        is_role_bound=False,
        is_session_bound=False,
    ),
)
STACKED_ROUTES: Final = (
    WriteRoute("commit first", "COMMIT; INSERT INTO {schema}.canary VALUES (3, 'new')"),
    WriteRoute("begin read write", "COMMIT; BEGIN READ WRITE; DELETE FROM {schema}.canary; COMMIT"),
    WriteRoute("rollback first", "SELECT 1; ROLLBACK; UPDATE {schema}.canary SET note = 'taken'"),
    WriteRoute("prepared", "PREPARE TRANSACTION '{schema}'"),
)
"""Transactions cannot be ended inside a function: these are sent as raw queries alone."""
EXCESS: Final = """
WITH grants AS (
  SELECT 'table ' || c.oid::regclass || ': ' || p.word AS held
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) p (word)
   WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND has_table_privilege(c.oid, p.word)
   UNION ALL
  SELECT 'sequence ' || c.oid::regclass || ': ' || p.word
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, (VALUES ('USAGE'), ('UPDATE')) p (word)
   WHERE c.relkind = 'S' AND n.nspname !~ '^pg_' AND has_sequence_privilege(c.oid, p.word)
   UNION ALL
  SELECT 'schema ' || n.nspname || ': CREATE' FROM pg_namespace n
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'CREATE')
   UNION ALL
  SELECT 'database: ' || p.word FROM (VALUES ('CREATE'), ('TEMPORARY')) p (word)
   WHERE has_database_privilege(current_database(), p.word)
   UNION ALL
  SELECT 'member of ' || r.rolname FROM pg_roles r
   WHERE pg_has_role(r.oid, 'MEMBER') AND r.rolname <> current_user
     AND (r.rolname ~ '^pg_(write|execute)_' OR r.rolname IN ('pg_read_server_files', 'pg_signal_backend', 'pg_maintain',
          'pg_checkpoint', 'pg_create_subscription', 'pg_use_reserved_connections') OR r.rolsuper OR r.rolcreaterole)
   UNION ALL
  SELECT 'the attribute ' || a.word FROM pg_roles r, LATERAL (VALUES (rolsuper, 'SUPERUSER'), (rolcreaterole, 'CREATEROLE'),
         (rolcreatedb, 'CREATEDB'), (rolreplication, 'REPLICATION'), (rolbypassrls, 'BYPASSRLS')) a (is_held, word)
   WHERE r.rolname = current_user AND a.is_held
)
SELECT held FROM grants ORDER BY held LIMIT 20
"""
"""What the session's user may do besides reading, in words of its own: the connector's own list is not asked."""
EFFECTS: Final = """
SELECT 'a large object was made' FROM pg_largeobject_metadata WHERE oid = {large_object}
 UNION ALL
SELECT 'the relation ' || c.oid::regclass || ' was made' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = '{schema}_loot' OR (c.relname = 'loot' AND n.nspname = '{schema}')
 UNION ALL
SELECT 'a schema was made' FROM pg_namespace WHERE nspname = '{schema}_x'
 UNION ALL
SELECT 'a role was made' FROM pg_roles WHERE rolname = '{schema}_x'
 UNION ALL
SELECT 'a role''s settings were changed' FROM pg_db_role_setting WHERE 'jivsbench.poison={schema}' = ANY (setconfig)
 UNION ALL
SELECT 'the sequence moved' FROM {schema}.numbers WHERE is_called OR last_value <> 1
"""
"""What the routes would leave behind."""
REMEDIES: Final = (
    "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = {large_object}",
    "DROP TABLE IF EXISTS public.{schema}_loot",
    "DROP SCHEMA IF EXISTS {schema}_x",
    "DROP ROLE IF EXISTS {schema}_x",
    """
DO $$ DECLARE r text; BEGIN
  FOR r IN SELECT setrole::regrole FROM pg_db_role_setting WHERE 'jivsbench.poison={schema}' = ANY (setconfig) LOOP
    EXECUTE 'ALTER ROLE ' || r || ' RESET jivsbench.poison';
  END LOOP;
END $$
""",
)
