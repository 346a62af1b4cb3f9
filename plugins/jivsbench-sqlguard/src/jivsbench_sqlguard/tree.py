"""The review of the syntax tree. The only module that touches sqlglot; it is imported when the first raw query comes."""

import logging
from collections.abc import Sequence
from typing import Final

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel
from sqlglot.tokenizer_core import TokenType

from jivsbench.errors import GuardRefusedError
from jivsbench_sqlguard.lexer import Token, TokenKind
from jivsbench_sqlguard.names import is_allowed, is_system_table
from jivsbench_sqlguard.nodes import ARGUMENTS, DATA_TYPES, NODES
from jivsbench_sqlguard.vocabulary import MAX_PADDING, Vocabulary

_MAX_GROWTH: Final = 8
_NUMBERS: Final = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Length, exp.StrPosition)
_SET_OPERATIONS: Final = (exp.Union, exp.Intersect, exp.Except)


def parse_tree(tokens: Sequence[Token], text: str, dialect: str) -> exp.Expr:
    """Parse one statement; make sure that the parser saw the same names and texts as our lexer. Raises on any doubt."""
    # What the parser logs quotes the query, and a query can hold values.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    reader = Dialect.get_or_raise(dialect)
    parser_tokens = reader.tokenize(text)
    seen = [token.text for token in parser_tokens if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER)]
    meant = [token.value for token in tokens if token.kind in (TokenKind.STRING, TokenKind.QUOTED)]
    if seen != meant:
        raise GuardRefusedError("the query's quotes can be read in two ways: simplify its texts and names")
    statements = reader.parser(error_level=ErrorLevel.IMMEDIATE).parse(parser_tokens, text)
    if len(statements) != 1 or statements[0] is None:
        raise GuardRefusedError("the query holds more than one statement: send one SELECT")
    return statements[0]


def review_tree(tree: exp.Expr, vocabulary: Vocabulary, dialect: str, tables: tuple[str, ...] | None) -> None:
    """Raises GuardRefusedError for a node, argument or table that is not on the lists."""
    if not _is_query(tree):
        raise GuardRefusedError("the query is not a SELECT: send one SELECT")
    for node in tree.walk():
        _review_node(node, vocabulary)
        if isinstance(node, exp.Table):
            _review_table(node, dialect, tables)
        elif isinstance(node, exp.With) and dialect == "sqlite":
            _review_recursion(node)
        elif isinstance(node, exp.Substring) and dialect == "postgres":
            _review_part(node)


def _is_query(node: object) -> bool:
    while isinstance(node, exp.Subquery):
        node = node.this
    return isinstance(node, (exp.Select, *_SET_OPERATIONS))


def _review_node(node: exp.Expr, vocabulary: Vocabulary) -> None:
    kind = type(node).__name__
    if kind not in NODES and not (isinstance(node, exp.Anonymous) and str(node.this).lower() in vocabulary.functions):
        raise GuardRefusedError(f"the query contains {kind}, which is not on the list: use plain SELECT syntax and functions")
    allowed = ARGUMENTS.get(kind)
    if allowed is not None:
        _review_arguments(node, allowed)
    if isinstance(node, exp.DataType):
        _review_type(node)
    elif isinstance(node, (exp.CTE, exp.Lateral)):
        if not _is_query(node.this):
            raise GuardRefusedError("a WITH or LATERAL part of the query is not a SELECT: send one SELECT")
    elif isinstance(node, exp.Subquery):
        if isinstance(node.this, exp.Table) and not node.this.args.get("joins"):
            raise GuardRefusedError("the query puts a table alone into parentheses: leave them out")
    elif isinstance(node, (exp.Pad, exp.Replace)):
        _review_growth(node)


def _review_arguments(node: exp.Expr, allowed: frozenset[str]) -> None:
    for name, value in node.args.items():
        if value and name not in allowed:
            raise GuardRefusedError(f"the query has a {type(node).__name__} with {name.strip('_')}: leave that part out")


def _review_type(node: exp.DataType) -> None:
    name = node.this.name if isinstance(node.this, exp.DType) else str(node.this)
    if name not in DATA_TYPES:
        raise GuardRefusedError("the query casts to a type that is not on the list: cast to a plain type such as text or numeric")


def _review_growth(node: exp.Pad | exp.Replace) -> None:
    """Padding and replacing can turn one row into gigabytes; what they may add is written in the query, and small."""
    if isinstance(node, exp.Pad):
        length = node.expression
        if isinstance(length, exp.Literal) and not length.is_string and length.name.isdigit() and int(length.name) <= MAX_PADDING:
            return
        raise GuardRefusedError(f"the query pads a text to a length that is no number up to {MAX_PADDING}: write the number")
    old, new = node.expression, node.args.get("replacement")
    if not isinstance(old, exp.Literal) or not (new is None or isinstance(new, exp.Literal)):
        raise GuardRefusedError("the query replaces by a computed text: write both texts of REPLACE in quotes")
    if new is not None and len(new.name) > max(_MAX_GROWTH, len(old.name)):
        raise GuardRefusedError(f"the query replaces a text by one longer than itself and than {_MAX_GROWTH}: shorten it")


def _review_part(node: exp.Substring) -> None:
    """SUBSTRING of PostgreSQL takes a regular expression where others take a place; only its type tells which."""
    start = node.args.get("start")
    if start is not None and not _is_number(start):
        raise GuardRefusedError("the query cuts a text at what may be a pattern: write a number, or CAST the place to integer")


def _is_number(node: exp.Expr) -> bool:
    """True for what is a number in PostgreSQL whatever the columns in it are."""
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return not node.is_string
    if isinstance(node, exp.Cast):
        return node.to.this in exp.DataType.INTEGER_TYPES
    return isinstance(node, _NUMBERS)


def _review_table(node: exp.Table, dialect: str, tables: tuple[str, ...] | None) -> None:
    if not isinstance(node.this, exp.Identifier):
        raise GuardRefusedError("the query reads from a function: read from a table")
    schema = node.args.get("db")
    if is_system_table(node.name) or (schema is not None and is_system_table(schema.name)):
        raise GuardRefusedError("the query reads the server's own catalogue: read tables of the source only")
    if tables is None or (schema is None and _is_common_table(node, dialect)):
        return
    parts = [schema, node.this] if schema is not None else [node.this]
    if not is_allowed(".".join(_catalogue_name(part, dialect) for part in parts), dialect, tables):
        raise GuardRefusedError("the query reads a table that is not on the source's list: add it to `tables` of the data source")


def _is_common_table(table: exp.Table, dialect: str) -> bool:
    """True when the name means a common table expression that is visible where the table stands."""
    wanted = _catalogue_name(table.this, dialect)
    below: exp.Expr = table
    scope = table.parent
    while scope is not None:
        clause = scope.args.get("with_")
        if isinstance(clause, exp.With):
            visible = clause.expressions
            if below is clause:  # the table stands inside one of the parts, which sees only those before it
                visible = visible[: _part_index(clause, table)]
            if any(_catalogue_name(part.args["alias"].this, dialect) == wanted for part in visible):
                return True
        below, scope = scope, scope.parent
    return False


def _review_recursion(clause: exp.With) -> None:
    """SQLite recurses without the word RECURSIVE: a part that names itself, or a later part, is enough."""
    names = [part.alias.lower() for part in clause.expressions]
    for index, part in enumerate(clause.expressions):
        if any(not table.args.get("db") and table.name.lower() in names[index:] for table in part.find_all(exp.Table)):
            raise GuardRefusedError("a WITH part of the query reads itself or a later part: write it without recursion")


def _part_index(clause: exp.With, table: exp.Table) -> int:
    ancestors = set()
    node: exp.Expr | None = table
    while node is not None and node is not clause:
        ancestors.add(id(node))
        node = node.parent
    return next(index for index, part in enumerate(clause.expressions) if id(part) in ancestors)


def _catalogue_name(identifier: exp.Identifier, dialect: str) -> str:
    """The name as the catalogue has it: a bare word is folded to lower case (SQLite: without case; MySQL: as it is)."""
    return identifier.name if identifier.args.get("quoted") or dialect == "mysql" else identifier.name.lower()
