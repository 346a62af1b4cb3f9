"""Functions and spellings that carry more than a SELECT: what SEC-005 tries. `{schema}` is the schema that the check planted.

Every text is harmless when it works: it reads the canary, names that every server has, or writes to a folder of nobody.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SmugglingText:
    """One query. What runs with the reader's own rights, and so reads what it may read, only the guard can refuse."""

    label: str
    text: str
    is_role_bound: bool = True
    """True when the role alone must be refused: files, programs, other servers, password hashes, the server itself."""


_RUNS_SQL: Final = (
    ("ts_stat", "SELECT * FROM ts_stat('SELECT to_tsvector(note) FROM {schema}.canary')"),
    ("query_to_xml", "SELECT query_to_xml('SELECT note FROM {schema}.canary', true, true, '')"),
    ("query_to_xmlschema", "SELECT query_to_xmlschema('SELECT note FROM {schema}.canary', true, true, '')"),
    ("query_to_xml_and_xmlschema", "SELECT query_to_xml_and_xmlschema('SELECT 1', true, true, '')"),
    ("table_to_xml", "SELECT table_to_xml('{schema}.canary', true, true, '')"),
    ("schema_to_xml", "SELECT schema_to_xml('{schema}', true, true, '')"),
    ("database_to_xml", "SELECT database_to_xml(true, true, '')"),
    ("database_to_xmlschema", "SELECT database_to_xmlschema(true, true, '')"),
    ("cursor_to_xml", "SELECT cursor_to_xml('c', 1, true, true, '')"),
    ("ts_rewrite", "SELECT ts_rewrite('a & b'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery')"),
    ("escaped name", "SELECT U&\"\\0071uery_to_xml\"('SELECT 1', true, true, '')"),
    ("escaped name, other escape", "SELECT U&\"!0074s_stat\" UESCAPE '!' ('SELECT to_tsvector(note) FROM {schema}.canary')"),
    ("quoted name", "SELECT pg_catalog.\"query_to_xml\"('SELECT 1', true, true, '')"),
    ("comment in a name", "SELECT pg_catalog./**/query_to_xml('SELECT 1', true, true, '')"),
    ("other schema's function", "SELECT {schema}.attempt('SELECT note FROM {schema}.canary')"),
    ("has_table_privilege", "SELECT has_table_privilege('{schema}.canary', 'SELECT')"),
    ("pg_get_functiondef", "SELECT pg_get_functiondef('{schema}.attempt(text)'::regprocedure)"),
    ("set_config", "SELECT set_config('search_path', '{schema}', false)"),
    ("current_setting", "SELECT current_setting('server_version')"),
    ("advisory lock", "SELECT pg_try_advisory_lock_shared(1)"),
    ("inet_server_addr", "SELECT inet_server_addr()"),
    ("txid", "SELECT pg_current_xact_id()"),
    ("message in the log", "SELECT pg_logical_emit_message(false, '{schema}', 'x')"),
    ("generate_series", "SELECT count(*) FROM generate_series(1, 10), pg_sleep(0.001)"),
)
_ACTS: Final = (
    ("pg_read_file", "SELECT pg_read_file('PG_VERSION')"),
    ("pg_read_binary_file", "SELECT pg_read_binary_file('PG_VERSION')"),
    ("escaped pg_read_file", "SELECT U&\"\\0070g_read_file\"('PG_VERSION')"),
    ("six digit escape", "SELECT U&\"pg_r\\+000065ad_file\"('PG_VERSION')"),
    ("pg_stat_file", "SELECT pg_stat_file('PG_VERSION')"),
    ("pg_ls_dir", "SELECT pg_ls_dir('.')"),
    ("pg_ls_logdir", "SELECT * FROM pg_ls_logdir()"),
    ("pg_ls_waldir", "SELECT * FROM pg_ls_waldir()"),
    ("pg_ls_tmpdir", "SELECT * FROM pg_ls_tmpdir()"),
    ("pg_ls_archive_statusdir", "SELECT * FROM pg_ls_archive_statusdir()"),
    ("pg_current_logfile", "SELECT pg_current_logfile()"),
    ("pg_hba", "SELECT * FROM pg_hba_file_rules()"),
    ("pg_show_all_file_settings", "SELECT * FROM pg_show_all_file_settings()"),
    ("lo_import", "SELECT lo_import('PG_VERSION')"),
    ("lo_export", "SELECT lo_export(1, '/nonexistent/{schema}')"),
    ("dblink", "SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t (a int)"),
    ("dblink_exec", "SELECT dblink_exec('dbname=postgres', 'SELECT 1')"),
    ("dblink_connect", "SELECT dblink_connect('host=127.0.0.1')"),
    ("copy to program", "COPY (SELECT 1) TO PROGRAM 'cat'"),
    ("copy from program", "COPY {schema}.canary FROM PROGRAM 'true'"),
    ("copy to file", "COPY (SELECT 1) TO '/nonexistent/{schema}'"),
    ("load", "LOAD 'auto_explain'"),
    ("pg_authid", "SELECT rolname, rolpassword FROM pg_authid"),
    ("pg_shadow", "SELECT usename, passwd FROM pg_shadow"),
    ("pg_user_mapping", "SELECT umoptions FROM pg_user_mapping"),
    ("pg_statistic", "SELECT stavalues1::text FROM pg_statistic"),
    ("pg_largeobject", "SELECT data FROM pg_largeobject"),
    ("pg_subscription", "SELECT subconninfo FROM pg_subscription"),
    ("reload", "SELECT pg_reload_conf()"),
    ("rotate log", "SELECT pg_rotate_logfile()"),
    ("switch wal", "SELECT pg_switch_wal()"),
    ("restore point", "SELECT pg_create_restore_point('{schema}')"),
    ("reset statistics", "SELECT pg_stat_reset_single_table_counters('{schema}.canary'::regclass)"),
    ("log memory contexts", "SELECT pg_log_backend_memory_contexts(1)"),
)
SMUGGLING: Final = (
    *(SmugglingText(label, text, is_role_bound=False) for label, text in _RUNS_SQL),
    *(SmugglingText(label, text) for label, text in _ACTS),
)
