"""The oracles over statement texts: what is the same statement, and what is more than one."""

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from jivsbench.api import WireMessage
from jivsbench.errors import InvalidRunError
from jivsbench_security.sql.statement_texts import SentText, StatementJudge, read_texts, strip_values
from jivsbench_security.sql.template_statements import TemplateStatements
from jivsbench_security.sql.value_contexts import ValueContext


class FakeWire:
    """A record that is written by hand."""

    def __init__(self) -> None:
        self.messages: list[WireMessage] = []
        self.is_complete = True

    def mark(self) -> int:
        """Where it ends."""
        return len(self.messages)

    def since(self, mark: int) -> tuple[WireMessage, ...]:
        """What came after."""
        return tuple(self.messages[mark:])

    def send(self, text: str) -> None:
        """A statement to be prepared."""
        self.messages.append(WireMessage(0, "P", b"\0" + text.encode() + b"\0\0\0"))


def quote(value: str) -> bytes:
    """A statement with a value that a careful connector quoted."""
    return sql.SQL('SELECT "id" FROM "prey" WHERE "label" IN ({}, {})').format(value, "plain").as_bytes(None)


@given(st.text(alphabet="ab'\"\\$-/*;? \n\u00e9", max_size=12))
def test_a_quoted_value_never_changes_the_fingerprint(value):
    """Quotes, backslashes and comments inside a value are the value's."""
    assert strip_values(quote(value)) == 'SELECT "id" FROM "prey" WHERE "label" IN (?, ?)'


@pytest.mark.parametrize(
    "value", ["' OR 1=1 --", "') UNION SELECT 1, 'x", "'; DROP TABLE prey --", "' AND '1'='1", "\\'", "' || '", "'/*"]
)
def test_a_pasted_value_changes_it(value):
    """Whoever leaves the quotes leaves another fingerprint."""
    pasted = f'SELECT "id" FROM "prey" WHERE "label" IN (\'{value}\', \'plain\')'.encode()

    assert strip_values(pasted) != strip_values(quote("x"))


def test_texts_are_read_from_both_protocols():
    """A text to be prepared stands behind the name, one of the simple protocol alone; all other messages hold none."""
    messages = [
        WireMessage(0, "startup", b"\0\3\0\0user\0x\0"),
        WireMessage(0, "P", b"name\0SELECT $1\0\0\1\0\0\0\x19"),
        WireMessage(0, "B", b"SELECT 9"),
        WireMessage(1, "Q", b"SELECT 2; SELECT 3\0"),
    ]

    assert read_texts(messages) == [SentText(b"SELECT $1", is_simple=False), SentText(b"SELECT 2; SELECT 3", is_simple=True)]


def test_the_server_counts_statements(embedded_postgres_url):
    """Two statements are several, whatever they name; a semicolon in a string, at the end, or a syntax error is not."""
    several = [b"SELECT 1; SELECT 2", b"SELECT * FROM nowhere; DROP TABLE nowhere", b"COMMIT; SELECT ';'", b"SELECT 1;; SELECT 2"]
    single = [b"SELECT 1", b"SELECT ';'", b"SELECT 1;", b"SELEC 1", b"", b"SELECT 1 -- ; SELECT 2", b"SELECT $$a; b$$", b"a\0; b"]
    with psycopg.connect(embedded_postgres_url, autocommit=True) as session:
        judge = StatementJudge(session)

        assert [judge.holds_several(text) for text in several] == [True] * len(several)
        assert [judge.holds_several(text) for text in single] == [False] * len(single)


def test_a_judge_whose_session_is_gone_does_not_say_one(embedded_postgres_url):
    """A text of two statements must not look like one because nobody answers."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as session, psycopg.connect(embedded_postgres_url) as other:
        judge = StatementJudge(session)
        other.execute("SELECT pg_terminate_backend(%s)", (session.info.backend_pid,))

        with pytest.raises(InvalidRunError, match="broken off"):
            judge.holds_several(b"SELECT 1; SELECT 2")
        with pytest.raises(InvalidRunError):
            StatementJudge(session)


def test_a_statement_that_no_harmless_value_has_is_found():
    """Statements that do not name the table are nobody's business; one that differs by more than strings is told."""
    wire = FakeWire()
    statements = TemplateStatements(wire, "prey")
    wire.send("SELECT 1 FROM prey WHERE a = 'harmless'")
    statements.learn(ValueContext.TEXT, 0)
    mark = statements.mark()
    wire.send("SELECT 1 FROM prey WHERE a = ' OR 1=1'")
    wire.send("ROLLBACK")

    assert statements.find_other(ValueContext.TEXT, mark) is None

    wire.send("SELECT 1 FROM prey WHERE a = '' OR 1=1")

    assert statements.find_other(ValueContext.TEXT, mark) == "SELECT 1 FROM prey WHERE a = ? OR 1=1"
    assert "3 statements" in statements.describe()


def test_what_a_first_extraction_asks_about_the_table_may_be_asked_again():
    """In any place, when the cache does not answer; the statement for a value of another place may not."""
    wire = FakeWire()
    statements = TemplateStatements(wire, "prey")
    wire.send("SELECT attname FROM pg_attribute WHERE attrelid = 'prey'")
    wire.send("SELECT 1 FROM prey WHERE a = 'harmless'")
    statements.learn_beginning(0)
    for place, column in ((ValueContext.TEXT, "a"), (ValueContext.NUMBER, "b")):
        mark = statements.mark()
        wire.send(f"SELECT 1 FROM prey WHERE {column} = 'harmless'")
        statements.learn(place, mark)
    mark = statements.mark()
    wire.send("SELECT attname FROM pg_attribute WHERE attrelid = 'prey'")

    assert statements.find_other(ValueContext.NUMBER, mark) is None

    wire.send("SELECT 1 FROM prey WHERE a = 'harmless'")

    assert statements.find_other(ValueContext.NUMBER, mark) == "SELECT 1 FROM prey WHERE a = ?"


def test_without_a_record_nothing_is_compared_and_that_is_said():
    """No wire is no evidence; a wire that saw nothing, or lost something, makes the run invalid."""
    unseen = TemplateStatements(None, "prey")
    unseen.learn(ValueContext.TEXT, 0)

    assert unseen.find_other(ValueContext.TEXT, 0) is None
    assert "not compared" in unseen.describe()
    with pytest.raises(InvalidRunError):
        TemplateStatements(FakeWire(), "prey").learn(ValueContext.TEXT, 0)

    wire = FakeWire()
    wire.send("SELECT 1 FROM prey")
    wire.is_complete = False
    with pytest.raises(InvalidRunError):
        TemplateStatements(wire, "prey").learn(ValueContext.TEXT, 0)
