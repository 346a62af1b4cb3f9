"""Names in Python source of which it is known what they do to a text. Data; the following of texts reads it."""

from typing import Final

NUMBERS: Final = frozenset({"int", "float", "bool", "complex", "Decimal", "date", "datetime", "timedelta", "time", "UUID"})
SAFE_CALLS: Final = frozenset({"int", "float", "bool", "len", "abs", "sum", "ord", "hash", "id", "round", "range", "hex", "oct"})
SAFE_METHODS: Final = frozenset(
    {"hex", "isoformat", "thread_id", "timestamp", "total_seconds", "token_hex", "index", "count", "bit_length"}
)
KEEPING: Final = frozenset(
    [
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "casefold",
        "title",
        "encode",
        "decode",
        "removesuffix",
        "removeprefix",
        "splitlines",
        "split",
        "partition",
        "rpartition",
        "values",
        "items",
        "keys",
        "get",
        "pop",
        "copy",
        "translate",
        "expandtabs",
    ]
)
PASSING: Final = frozenset(
    {
        "str",
        "bytes",
        "list",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "reversed",
        "dict",
        "iter",
        "next",
        "min",
        "max",
        "repr",
        "zip",
        "enumerate",
        "filter",
        "cast",
        "chain",
        "dedent",
    }
)
NUMERIC_ATTRIBUTES: Final = frozenset({"precision", "scale", "byte_width", "bit_width", "num_rows", "num_columns"})
REVIEWED: Final = frozenset(
    {
        # A whole statement of the user's, which guards have let through and the server has found to be one query.
        "jivsbench_mysql.statements.clean_query",
        "jivsbench_postgres.statements.clean_query",
        "jivsbench_sqlalchemy.statements.check_query",
        "jivsbench_sqlite.statements.clean_query",
        # A number or a moment that was parsed, and then stays as it was written.
        "jivsbench_mysql.statements.format_value",
        # Keys as literals that the server wrote itself, texts among them in hexadecimal.
        "jivsbench_mysql.partitioning.choose_bounds",
        # Rows to be loaded, quoted a column at a time by Arrow, where nothing can be followed.
        "jivsbench_mysql.loading._format_rows",
    }
)
"""Functions whose results were read by people. By their full names: no plugin can have one by accident."""
NUMERIC_FORMATS: Final = "bcdeEfFgGnoxX%"
TEXTS: Final = frozenset({"str", "bytes", "object", "Any"})
"""Types that may hold a text of anybody's."""
