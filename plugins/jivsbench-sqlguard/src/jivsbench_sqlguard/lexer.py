"""A strict lexer: it accepts only spellings on which the servers and the SQL parser agree.

Every known way past a parsing guard starts with a text that guard and server cut into tokens differently: nested
comments, comments that MySQL runs, dollar quotes, E'' and U&'' strings, backslashes before a quote, operators glued to a
comment, junk after a number. None of them can be written in the tokens below. The parser is then given the tokens, not the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from jivsbench.errors import GuardRefusedError

MAX_TOKENS: Final = 10_000
MAX_DEPTH: Final = 60
"""Parentheses inside one another; the parser is recursive."""


class TokenKind(Enum):
    """What a token is."""

    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    OPERATOR = auto()
    PUNCTUATION = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` is as written; `value` is what it means: a word in lower case, a name or string without its quotes."""

    kind: TokenKind
    text: str
    value: str


# Possessive (`++`): no text of 64 KiB can make these patterns try twice.
_TEMPLATE: Final = r"""
    (?P<space> (?:[ \t\n]|\r\n)++ )
  | (?P<comment> --AFTER_DASHES[^\r\n]*+ | /\*(?!\+|[Mm]?!)(?:[^*/]|\*(?!/)|/(?!\*))*+\*/ )
  | (?P<STRING> '(?:[^'\\]|''|\\[^'])*+'(?!') | '\\'(?!') )
  | (?P<QUOTED> NAME )
  | (?P<NUMBER> (?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)? )
  | (?P<WORD> [A-Za-z_][A-Za-z0-9_]*+ )
  | (?P<OPERATOR> ::|->>|->|<=|>=|<>|!=|\|\||[-+*/%=<>] )
  | (?P<PUNCTUATION> [(),.;\[\]] )
    """
_PATTERN: Final = re.compile(_TEMPLATE.replace("AFTER_DASHES", "").replace("NAME", r'"(?:[^"]|"")++"(?!")'), re.VERBOSE)
# To MySQL `a--1` is a sum: only a blank makes two dashes a comment. A backslash in double quotes may hide the closing one,
# unless the session says otherwise; in backquotes it never does.
_MYSQL_PATTERN: Final = re.compile(
    _TEMPLATE.replace("AFTER_DASHES", r"(?=[ \t\r\n]|\Z)").replace("NAME", r'"(?:[^"\\]|"")++"(?!") | `(?:[^`]|``)++`(?!`)'),
    re.VERBOSE,
)
# NUL and other controls, lone surrogates, and the marks that turn the direction of text and so hide what is written.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_GLUED_SIGN: Final = frozenset({"=", "<", ">", "<=", ">=", "<>", "*", "/", "+"})
BACKSLASH: Final = r"'\'"
"""A server with standard_conforming_strings off reads the quote after the backslash as text, up to the next quote.

Without a later quote, such a server finds no end and refuses the query.
"""
_VALUES: Final = frozenset({TokenKind.WORD, TokenKind.QUOTED, TokenKind.STRING, TokenKind.NUMBER})
_GLUED_TYPES: Final = frozenset({"date", "time", "timestamp", "interval"})
_MAX_NAME_BYTES: Final = 63


def read_tokens(query: str, dialect: str) -> tuple[Token, ...]:
    """Cut a query into tokens, without comments and without the one semicolon that may end it. Raises GuardRefusedError."""
    if _FORBIDDEN.search(query):
        raise GuardRefusedError("the query holds a control character, or one that turns the direction of text: remove it")
    tokens = tuple(_scan(query, _MYSQL_PATTERN if dialect == "mysql" else _PATTERN))
    if tokens and tokens[-1].text == ";":
        tokens = tokens[:-1]
    _check_shape(tokens)
    return tokens


def format_tokens(tokens: tuple[Token, ...], dialect: str) -> str:
    """The query as the parser gets to see it: the same tokens, one space apart, no comments."""
    # The parser takes MySQL's double quotes for those of a text; to the session of a connector they are those of a name.
    return " ".join([_format_name(token.value) if _is_mysql_name(token, dialect) else token.text for token in tokens])


def _is_mysql_name(token: Token, dialect: str) -> bool:
    return dialect == "mysql" and token.kind is TokenKind.QUOTED


def _format_name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _scan(query: str, pattern: re.Pattern[str]) -> Iterator[Token]:
    position, count = 0, 0
    previous: Token | None = None  # the token that ends exactly where the next one starts
    while position < len(query):
        match = pattern.match(query, position)
        if match is None:
            raise GuardRefusedError(
                f"the query holds, at character {position + 1}, a spelling outside plain SQL: use 'text', \"name\", numbers, "
                "+ - * / % || :: -> ->> and comparisons; no dollar quotes, prefixed strings, placeholders, or nested comments"
            )
        position = match.end()
        if match.lastgroup in ("space", "comment"):
            previous = None
            continue
        token = _build_token(TokenKind[match.lastgroup or ""], match.group())
        if token.text == BACKSLASH and "'" in query[position:]:
            # In a comment or a quoted name as well: to a server that reads on, neither is one.
            raise GuardRefusedError(
                "the query has a text that is one backslash before another quote: use another ESCAPE character"
            )
        if previous is not None:
            _check_glued(previous, token)
        count += 1
        if count > MAX_TOKENS:
            raise GuardRefusedError(f"the query has more than {MAX_TOKENS} words and signs: shorten it")
        yield token
        previous = token


def _build_token(kind: TokenKind, text: str) -> Token:
    if kind is TokenKind.WORD:
        value = text.lower()
    elif kind is TokenKind.QUOTED:
        value = text[1:-1].replace(text[0] * 2, text[0])
    elif kind is TokenKind.STRING:
        value = text[1:-1].replace("''", "'")
    else:
        value = text
    if kind in (TokenKind.WORD, TokenKind.QUOTED) and len(value.encode()) > _MAX_NAME_BYTES:
        raise GuardRefusedError(f"a name in the query is longer than {_MAX_NAME_BYTES} bytes: write it as the catalogue has it")
    return Token(kind, text, value)


def _check_glued(left: Token, right: Token) -> None:
    """Two tokens without a space between them: the server may join what we cut."""
    if left.kind in _VALUES and right.kind in _VALUES:
        if right.kind is TokenKind.WORD and left.kind in (TokenKind.STRING, TokenKind.QUOTED):
            return  # a closing quote ends a token everywhere; only what stands before an opening one can change it
        if right.kind is TokenKind.STRING and left.value in _GLUED_TYPES:
            return
        raise GuardRefusedError("the query glues a word, number or text to another: put a space between them")
    if left.kind is TokenKind.OPERATOR and right.kind is TokenKind.OPERATOR:
        if right.text in ("+", "-") and left.text in _GLUED_SIGN:
            return
        raise GuardRefusedError("the query glues two operators together: put a space between them")
    if left.kind is TokenKind.NUMBER and right.text == ".":
        raise GuardRefusedError("the query has a point after a number: put a space between them")


def _check_shape(tokens: tuple[Token, ...]) -> None:
    """Brackets in balance: a query that a connector puts into parentheses cannot step out of them."""
    if not tokens:
        raise GuardRefusedError("the query is empty: write one SELECT")
    open_brackets: list[str] = []
    for token in tokens:
        if token.kind is not TokenKind.PUNCTUATION:
            continue
        if token.text == ";":
            raise GuardRefusedError("the query holds more than one statement: send one SELECT")
        if token.text in "([":
            open_brackets.append(token.text)
        elif token.text in ")]" and (not open_brackets or open_brackets.pop() + token.text not in ("()", "[]")):
            raise GuardRefusedError("the query closes a bracket that it did not open: check its parentheses")
        if len(open_brackets) > MAX_DEPTH:
            raise GuardRefusedError(f"the query is nested deeper than {MAX_DEPTH} brackets: simplify it")
    if open_brackets:
        raise GuardRefusedError("the query does not close a bracket that it opens: check its parentheses")
