"""The review of the tokens: what a word may stand next to, decided without the parser and so independent of its gaps."""

from collections.abc import Sequence
from typing import Final

from jivsbench.errors import GuardRefusedError
from jivsbench_sqlguard.lexer import BACKSLASH, Token, TokenKind
from jivsbench_sqlguard.names import is_reserved_name
from jivsbench_sqlguard.vocabulary import (
    BEFORE_PARENTHESIS,
    BEFORE_TEXT,
    MAX_PADDING,
    PADDED_TYPES,
    REFUSED_WORDS,
    TYPES,
    Vocabulary,
)

_NAMES: Final = (TokenKind.WORD, TokenKind.QUOTED)


def review_words(tokens: Sequence[Token], vocabulary: Vocabulary) -> None:
    """Raises GuardRefusedError for a call, cast, name or word that is not on the lists."""
    _review_start(tokens)
    for index, token in enumerate(tokens):
        if token.kind in _NAMES:
            _review_name(tokens, index, vocabulary)
        elif token.kind is TokenKind.STRING:
            _review_text(tokens, index)
        elif token.text == "::":
            _review_cast(tokens, index)
        elif token.text == "[" and not vocabulary.has_arrays:
            raise GuardRefusedError("the query uses square brackets, which quote names here: write names in double quotes")


def _review_start(tokens: Sequence[Token]) -> None:
    first = next((token for token in tokens if token.text != "("), tokens[0])
    if first.kind is not TokenKind.WORD or first.value not in ("select", "with"):
        raise GuardRefusedError("the query does not start with SELECT or WITH: send one SELECT")


def _review_name(tokens: Sequence[Token], index: int, vocabulary: Vocabulary) -> None:
    token = tokens[index]
    if is_reserved_name(token.value):
        raise GuardRefusedError("the query names an object of the server's own catalogue: read tables of the source only")
    if _text_at(tokens, index + 1) == "(":
        _review_size(tokens, index)
        _review_call(tokens, index, vocabulary)
    if token.kind is TokenKind.WORD and _text_at(tokens, index - 1) not in (".", "as"):
        _review_word(tokens, index, vocabulary)


def _review_word(tokens: Sequence[Token], index: int, vocabulary: Vocabulary) -> None:
    value = tokens[index].value
    if value in REFUSED_WORDS:
        raise GuardRefusedError(f"the query uses {value.upper()}: send one plain SELECT")
    if value in vocabulary.session_words:
        raise GuardRefusedError(f"the query asks for {value.upper()}: quote the name if it is a column's")
    if value == "only" and _text_at(tokens, index - 1) not in ("row", "rows"):
        raise GuardRefusedError("the query uses ONLY: name the table alone")
    if value == "for" and _text_at(tokens, index + 1) in ("update", "no", "share", "key"):
        raise GuardRefusedError("the query locks rows: leave out FOR UPDATE and its kin")


def _review_size(tokens: Sequence[Token], index: int) -> None:
    """`char(10000000)` makes ten megabytes of every row, wherever the type stands: in a cast or before a text."""
    size = tokens[index + 2] if index + 2 < len(tokens) else None
    if tokens[index].value not in PADDED_TYPES or size is None or size.kind is not TokenKind.NUMBER:
        return
    if float(size.text) > MAX_PADDING:
        raise GuardRefusedError(f"the query fills texts up to more than {MAX_PADDING} characters: write a smaller size, or text")


def _review_call(tokens: Sequence[Token], index: int, vocabulary: Vocabulary) -> None:
    """`name (` is a call unless the grammar says otherwise; a call must be on the list, and never qualified or quoted."""
    token = tokens[index]
    before = _text_at(tokens, index - 1)
    if before in ("as", "with"):
        return  # an alias with column names, or a common table expression; neither can be a call
    if before == "," and _is_common_table(tokens, index):
        return
    if token.kind is TokenKind.WORD and before != ".":
        if token.value in vocabulary.functions or token.value in BEFORE_PARENTHESIS:
            return
        if token.value in TYPES and _is_number_list(tokens, index + 1):
            return
    raise GuardRefusedError(f"the query calls a function that is not on the list, near word {index + 1}: use plain SQL functions")


def _is_common_table(tokens: Sequence[Token], index: int) -> bool:
    """True for `, name (a, b) AS [[NOT] MATERIALIZED] (SELECT|WITH`.

    `FROM t, f(1) AS (a int)` looks alike up to the last word, and there f is a call.
    """
    end = index + 2
    while end < len(tokens) and tokens[end].kind in _NAMES and _text_at(tokens, end + 1) == ",":
        end += 2
    if end + 1 >= len(tokens) or tokens[end].kind not in _NAMES or tokens[end + 1].text != ")":
        return False
    after = end + 2
    if _text_at(tokens, after) != "as":
        return False
    after += 1
    while _text_at(tokens, after) in ("not", "materialized"):
        after += 1
    if _text_at(tokens, after) != "(":
        return False
    while _text_at(tokens, after) == "(":
        after += 1
    return _text_at(tokens, after) in ("select", "with")


def _is_number_list(tokens: Sequence[Token], index: int) -> bool:
    """True for `(10)` and `(10, 2)`: the size of a type. `text (x)` is a call."""
    position = index + 1
    while position < len(tokens) and tokens[position].kind is TokenKind.NUMBER:
        if _text_at(tokens, position + 1) == ")":
            return True
        position += 2
    return False


def _review_text(tokens: Sequence[Token], index: int) -> None:
    before = tokens[index - 1]
    if tokens[index].text == BACKSLASH and _text_at(tokens, index - 1) != "escape":
        raise GuardRefusedError("the query has a text that is one backslash: only after ESCAPE is it too common to refuse")
    if before.kind in (TokenKind.STRING, TokenKind.QUOTED) or (before.kind is TokenKind.WORD and before.value not in BEFORE_TEXT):
        raise GuardRefusedError(
            f"the query has a text after a name, near word {index + 1}: write CAST(... AS type) or an operator"
        )


def _review_cast(tokens: Sequence[Token], index: int) -> None:
    target = tokens[index + 1] if index + 1 < len(tokens) else None
    if target is None or target.kind is not TokenKind.WORD or target.value not in TYPES:
        raise GuardRefusedError("the query casts to a type that is not on the list: cast to a plain type such as text or numeric")


def _text_at(tokens: Sequence[Token], index: int) -> str:
    """A word in lower case, or the sign itself; empty outside the query, and for names and texts in quotes."""
    if not 0 <= index < len(tokens):
        return ""
    token = tokens[index]
    return token.value if token.kind not in (TokenKind.QUOTED, TokenKind.STRING) else ""
