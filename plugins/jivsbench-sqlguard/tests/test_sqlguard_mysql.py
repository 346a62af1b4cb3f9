"""Raw queries to MySQL and MariaDB: what these servers read otherwise than all others, and what only they can do."""

import pytest

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest
from jivsbench_sqlguard.guard import SqlGuard


def review(query: str, tables: tuple[str, ...] | None = None) -> None:
    """Send the query through the guard."""
    SqlGuard().review(GuardRequest(ExtractionRequest("shop", query=query), "mysql", tables))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * INTO OUTFILE '/tmp/x' FROM orders",
        "SELECT * FROM orders INTO DUMPFILE '/tmp/x'",
        "SELECT id FROM orders INTO @found",
        "SELECT load_file('/etc/passwd')",
        "SELECT LOAD_FILE ('/etc/passwd')",
        "SELECT sleep(10)",
        "SELECT id FROM orders WHERE benchmark(1000000000, md5('x'))",
        "SELECT get_lock('x', 10)",
        "SELECT release_all_locks()",
        "SELECT master_pos_wait('x', 1)",
        "SELECT nextval(numbers)",
        "SELECT NEXT VALUE FOR numbers",
        "SELECT setval(numbers, 1)",
        "SELECT extractvalue(1, concat('~', 'x'))",
        "SELECT updatexml(1, 'x', 1)",
        "SELECT database()",
        "SELECT version()",
        "SELECT user()",
        "SELECT current_user",
        "SELECT current_role",
        "SELECT connection_id()",
        "SELECT sys_exec('id')",
        "SELECT shop.count(1)",
        "SELECT string_agg(id, 'x') FROM orders",
        "SELECT repeat('x', 1000000000)",
        "SELECT @@version",
        "SELECT @x := 1",
        "SELECT id /*! INTO OUTFILE '/tmp/x' */ FROM orders",
        "SELECT id /*!50000 , load_file('/etc/passwd') */ FROM orders",
        "SELECT id /*M! , load_file('/etc/passwd') */ FROM orders",
        "SELECT id /*M!100000 , load_file('/etc/passwd') */ FROM orders",
        "SELECT id /*m! , sleep(1) */ FROM orders",
        "SELECT /*+ SET_VAR(sql_mode='') */ id FROM orders",
        "SELECT 1--1, load_file('/etc/passwd')",
        "SELECT 1 --1 , sleep(10)",
        "SELECT id FROM orders WHERE 1=1 --\x0b",
        "SELECT 1 # a comment",
        "SELECT 'a\\' , load_file('/etc/passwd') , \\'b'",
        "SELECT 'a\\n'",
        'SELECT "a\\", load_file("/etc/passwd"), \\"b"',
        "SELECT 'a' 'b'",
        "SELECT _utf8mb4 'a'",
        "SELECT x'41'",
        "SELECT 0x41",
        "SELECT N'a'",
        "SELECT \\N",
        "SELECT 1 <=> 1",
        "SELECT {fn now()}",
        "SELECT {d '2020-01-01'}",
        "HANDLER orders OPEN",
        "TABLE orders",
        "TABLE orders INTO OUTFILE '/tmp/x'",
        "VALUES ROW(1, 2)",
        "DO sleep(10)",
        "CALL shutdown()",
        "SHOW GRANTS",
        "SELECT id FROM orders PROCEDURE ANALYSE()",
        "SELECT id FROM orders FOR UPDATE",
        "SELECT id FROM orders LOCK IN SHARE MODE",
        "SELECT id FROM orders USE INDEX (PRIMARY)",
        "SELECT id FROM orders PARTITION (p0)",
        "SELECT id FROM orders FOR SYSTEM_TIME ALL",
        "SELECT id FROM orders WHERE name REGEXP '(a+)+$'",
        "SELECT id FROM orders WHERE name RLIKE 'x'",
        "SELECT MATCH (name) AGAINST ('x') FROM orders",
        "WITH RECURSIVE n AS (SELECT 1) SELECT * FROM n",
        "SELECT * FROM mysql.user",
        "SELECT * FROM `mysql`.`user`",
        'SELECT * FROM "mysql"."user"',
        "SELECT * FROM MySQL.User",
        "SELECT * FROM information_schema.processlist",
        "SELECT * FROM performance_schema.threads",
        "SELECT * FROM sys.session",
        "SELECT count(*) FROM seq_1_to_1000000000",
        "SELECT count(*) FROM shop.`SEQ_1_to_1000000000_step_2`",
        "SELECT 1; DROP TABLE orders",
        "SELECT `a",
        "SELECT ``",
        "DELETE FROM orders",
    ],
)
def test_what_only_these_servers_do_is_refused(query: str) -> None:
    """Files, waits, locks, session variables, stored functions, comments that run, and texts that can be read in two ways."""
    with pytest.raises(GuardRefusedError):
        review(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM orders",
        "SELECT `id`, `a``b` FROM `orders` WHERE `status` = 'open' -- the open ones",
        'SELECT "id" FROM "orders"',
        "SELECT count(*), sum(amount) FROM shop.orders AS o JOIN customers AS c ON o.customer = c.id GROUP BY c.country",
        "SELECT id FROM orders WHERE created_at >= TIMESTAMP '2020-01-01 00:00:00' ORDER BY id LIMIT 10 OFFSET 5;",
        "SELECT ifnull(name, '') || 'x', if(id > 1, 'a', 'b'), left(name, 2), group_concat(name) FROM orders",
        "SELECT row_number() OVER (PARTITION BY status ORDER BY id) FROM orders",
        "WITH recent AS (SELECT * FROM orders) SELECT * FROM recent /* all */",
        "SELECT id - -1, id * 2, id % 3 FROM orders --",
        "SELECT CAST(id AS CHAR), CASE WHEN id IS NULL THEN 0 ELSE 1 END FROM orders WHERE name LIKE 'a%'",
    ],
)
def test_plain_queries_are_accepted(query: str) -> None:
    """Names in backquotes or, as the connector's sessions read them, in double quotes."""
    review(query)


def test_the_case_of_a_table_counts() -> None:
    """On a server that tells Orders from orders, a list with one of them does not open the other."""
    review("SELECT * FROM orders", ("orders",))
    for query in ("SELECT * FROM Orders", "SELECT * FROM ORDERS", "SELECT * FROM `Orders`", "SELECT * FROM other.orders"):
        with pytest.raises(GuardRefusedError, match="not on the source's list"):
            review(query, ("orders",))


def test_a_comment_that_one_server_runs_is_refused_for_all() -> None:
    """A comment with an exclamation mark is nobody's remark."""
    for dialect in ("postgres", "sqlite"):
        with pytest.raises(GuardRefusedError):
            SqlGuard().review(GuardRequest(ExtractionRequest("shop", query="SELECT 1 /*M! + 1 */"), dialect, None))
