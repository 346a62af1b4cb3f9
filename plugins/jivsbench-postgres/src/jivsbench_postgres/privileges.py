"""What a role may do besides reading, and the statements that take it away. The server builds their names, quoted."""

from typing import Final

from jivsbench.model.privilege import ExcessPrivilege
from jivsbench_postgres.wire import Wire

# Every branch yields an order, what was found, and a statement. A superuser holds everything, so for one nothing else is told.
_EXCESS: Final = b"""
WITH me AS (SELECT * FROM pg_catalog.pg_roles WHERE rolname = current_user),
grantees AS (
  SELECT 0::oid AS oid, 'PUBLIC' AS name
   UNION ALL
  SELECT r.oid, pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles r
   WHERE pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
),
attributes AS (
  SELECT 1 AS place, 'the role has ' || a.word AS found,
         pg_catalog.format('ALTER ROLE %I NO%s', me.rolname, a.word) AS remedy
    FROM me, LATERAL (VALUES (rolsuper, 'SUPERUSER'), (rolcreaterole, 'CREATEROLE'), (rolcreatedb, 'CREATEDB'),
                             (rolreplication, 'REPLICATION'), (rolbypassrls, 'BYPASSRLS')) a (is_held, word)
   WHERE a.is_held AND (a.word = 'SUPERUSER' OR NOT rolsuper)
),
memberships AS (
  SELECT 2, 'the role is a member of ' || r.rolname, pg_catalog.format('REVOKE %I FROM %I', r.rolname, m.rolname)
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
    JOIN pg_catalog.pg_roles m ON m.oid = a.member
   WHERE pg_catalog.pg_has_role(current_user, a.member, 'MEMBER')
     -- Members of pg_read_all_data read the catalogue too, with everybody's password hashes.
     AND (r.rolname LIKE 'pg\\_write\\_%' OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files',
          'pg_read_all_data', 'pg_signal_backend', 'pg_maintain', 'pg_checkpoint', 'pg_create_subscription',
          'pg_signal_autovacuum_worker', 'pg_database_owner') OR r.rolsuper OR r.rolcreaterole)
),
owned AS (
  SELECT 3, 'the role owns ' || pg_catalog.count(*) || ' tables, views or sequences, so it may do anything with them',
         pg_catalog.format('REASSIGN OWNED BY %I TO another_role', current_user)
    FROM pg_catalog.pg_class c JOIN me ON c.relowner = me.oid
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace
  HAVING pg_catalog.count(*) > 0
),
databases AS (
  SELECT 4, g.name || ' has ' || pg_catalog.string_agg(a.privilege_type, ', ') || ' on database ' || d.datname,
         pg_catalog.format('REVOKE %s ON DATABASE %I FROM %s', pg_catalog.string_agg(a.privilege_type, ', '), d.datname, g.name)
    FROM pg_catalog.pg_database d,
         pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a, grantees g
   WHERE d.datname = pg_catalog.current_database() AND a.grantee = g.oid AND a.privilege_type IN ('CREATE', 'TEMPORARY')
   GROUP BY g.name, d.datname
),
schemas AS (
  SELECT 5, g.name || ' has CREATE on schema ' || n.nspname,
         pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM %s', n.nspname, g.name)
    FROM pg_catalog.pg_namespace n,
         pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a, grantees g
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND a.grantee = g.oid AND a.privilege_type = 'CREATE'
),
relations AS (
  SELECT c.oid, c.relowner, c.relkind, n.nspname, c.relname, g.name, a.privilege_type
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
         pg_catalog.aclexplode(c.relacl) a, grantees g
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND a.grantee = g.oid AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'
),
tables AS (
  SELECT 6, name || ' has ' || pg_catalog.string_agg(privilege_type, ', ' ORDER BY privilege_type)
         || ' on ' || nspname || '.' || relname,
         pg_catalog.format('REVOKE %s ON %s %I.%I FROM %s', pg_catalog.string_agg(privilege_type, ', ' ORDER BY privilege_type),
                           CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname, name)
    FROM relations GROUP BY name, nspname, relname, relkind
),
columns AS (
  SELECT 7, g.name || ' has ' || a.privilege_type || ' on column ' || n.nspname || '.' || c.relname || '.' || t.attname,
         pg_catalog.format('REVOKE %s (%I) ON TABLE %I.%I FROM %s', a.privilege_type, t.attname, n.nspname, c.relname, g.name)
    FROM pg_catalog.pg_attribute t
    JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
         pg_catalog.aclexplode(t.attacl) a, grantees g
   WHERE a.grantee = g.oid AND a.privilege_type <> 'SELECT' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
),
functions AS (
  SELECT 8, g.name || ' may run the function ' || p.oid::pg_catalog.regprocedure || ' with the rights of its owner',
         pg_catalog.format('REVOKE EXECUTE ON ROUTINE %s FROM %s', p.oid::pg_catalog.regprocedure, g.name)
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
         pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a, grantees g
   WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND a.grantee = g.oid AND a.grantee <> p.proowner
),
together AS (
  SELECT * FROM attributes
  UNION ALL
  SELECT x.* FROM (SELECT * FROM memberships UNION SELECT * FROM owned UNION SELECT * FROM databases UNION SELECT * FROM schemas
                   UNION SELECT * FROM tables UNION SELECT * FROM columns UNION SELECT * FROM functions) x, me
   WHERE NOT me.rolsuper
)
SELECT found, remedy FROM together ORDER BY place, found
"""


def find_excess(wire: Wire, patience_s: float) -> tuple[ExcessPrivilege, ...]:
    """What the session's role may do besides SELECT, the most dangerous first."""
    rows = wire.fetch(_EXCESS, doing="list the privileges of its role", patience_s=patience_s)
    return tuple(ExcessPrivilege(found or "", remedy or "") for found, remedy in rows)
