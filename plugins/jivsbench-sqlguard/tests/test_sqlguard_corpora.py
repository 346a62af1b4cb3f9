import pytest

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest
from jivsbench_security.corpora import Statement, load_hostile, load_legitimate
from jivsbench_sqlguard.guard import SqlGuard

DIALECTS = ("postgres", "sqlite")


def is_refused(statement: Statement, dialect: str) -> bool:
    """What the guard says to the statement as a raw query."""
    try:
        SqlGuard().review(GuardRequest(ExtractionRequest("shop", query=statement.sql), dialect, None))
    except GuardRefusedError:
        return True
    return False


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_hostile_statement_is_accepted(dialect):
    """Every text of the hostile corpus is refused."""
    accepted = [s.name for s in load_hostile(dialect) if not is_refused(s, dialect)]

    assert accepted == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_legitimate_statement_is_refused(dialect):
    """Every query of the legitimate corpus passes."""
    refused = [s.name for s in load_legitimate(dialect) if is_refused(s, dialect)]

    assert refused == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_hostile_text_stays_refused_in_other_letters(dialect):
    """Upper and lower case make no difference to a refusal."""
    accepted = [
        s.name
        for s in load_hostile(dialect)
        for sql in (s.sql.upper(), s.sql.lower(), s.sql.swapcase())
        if not is_refused(Statement(s.group, s.index, sql), dialect)
    ]

    assert accepted == []


@pytest.mark.parametrize("wrapper", ["SELECT * FROM ({}) q", "SELECT 1 UNION ALL ({})", "WITH q AS ({}) SELECT * FROM q"])
def test_hostile_text_stays_refused_inside_another_query(wrapper):
    """A hostile part does not become harmless by standing in a subquery."""
    accepted = [
        s.name
        for s in load_hostile("postgres")
        if not is_refused(Statement(s.group, s.index, wrapper.format(s.sql)), "postgres")
        # Inside parentheses BEGIN is a table's name, and brackets that left one wrapper may fit into another.
        and not s.group.startswith(("other-statement", "leaving-the-wrapper"))
    ]

    assert accepted == []


def test_reviewing_costs_little(benchmark):
    """The whole corpus as a benchmark; the figure to reach is a p95 of 5 ms for one statement."""
    statements = load_legitimate("postgres")
    guard = SqlGuard()
    requests = [GuardRequest(ExtractionRequest("shop", query=s.sql), "postgres", None) for s in statements]

    reviewed = benchmark(lambda: [guard.review(request) for request in requests])

    assert len(reviewed) == len(requests)
