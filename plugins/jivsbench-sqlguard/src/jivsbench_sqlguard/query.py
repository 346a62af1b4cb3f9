"""The review of one raw query, from text to tokens to tree; each stage may only refuse."""

from jivsbench.errors import GuardRefusedError
from jivsbench_sqlguard.lexer import format_tokens, read_tokens
from jivsbench_sqlguard.tree import parse_tree, review_tree
from jivsbench_sqlguard.vocabulary import VOCABULARIES
from jivsbench_sqlguard.words import review_words


def review_query(query: str, dialect: str, tables: tuple[str, ...] | None) -> None:
    """Raises GuardRefusedError, or whatever the parser raises, unless the query is one plain SELECT over allowed tables."""
    if not dialect:
        raise GuardRefusedError(
            "the source knows no SQL, so no query can be sent to it: extract a table, with columns and filters"
        )
    vocabulary = VOCABULARIES.get(dialect)
    if vocabulary is None:
        raise GuardRefusedError("raw queries are reviewed for postgres, mysql and sqlite only: extract the table with filters")
    tokens = read_tokens(query, dialect)
    review_words(tokens, vocabulary)
    review_tree(parse_tree(tokens, format_tokens(tokens, dialect), dialect), vocabulary, dialect, tables)
