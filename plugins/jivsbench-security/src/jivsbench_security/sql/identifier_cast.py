"""The tables that SEC-002 plants under awkward names, and the names that it asks for.

Each table holds one row, which says whose it is. Whatever a request calls a table, only the one of exactly that name may answer.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from psycopg import sql

from jivsbench_security.own_sessions import need_unicode
from jivsbench_security.places import Place, generate_for
from jivsbench_security.sql.planted_schema import PlantedSchema

BYSTANDER: Final = "bystander"
_LONGEST_BYTES: Final = 63
_FAST_GENERATED: Final = 9
_FULL_GENERATED: Final = 2_000
COLUMNS: Final = ("whose", "Whose", 'od"d', 'whose", "Whose', 'whose" AS x, "Whose', "who.se", "whose--", "wh\u00f6se")
"""Columns of every planted table but the bystander, which has the first alone; each holds the name of its table and its own."""


def list_tables(schema: str) -> tuple[str, ...]:
    """Names that are some table's, made to be mistaken for each other's."""
    return (
        "plain",
        "Plain",
        "PLAIN",
        'quo"te',
        'quo""te',
        f'plain" AS p, {schema}."bystander',
        f'plain" UNION ALL TABLE {schema}."bystander',
        f"{schema}.plain",
        "do.t",
        "semi;colon",
        "com--ment",
        "com/*ment*/",
        "apo'strophe",
        "back\\slash",
        "dollar$$",
        "per%cent%s",
        "{brace}",
        "caf\u00e9",
        "cafe\u0301",
        " space ",
        "select",
        "a" * _LONGEST_BYTES,
        "\u00e4" * 31,
    )


def list_absent(schema: str) -> tuple[str, ...]:
    """Names that are nobody's, each close to one that is somebody's."""
    return (
        "pLAIN",
        '"plain"',
        "plain ",
        "plain\0",
        "plain\n",
        "plain\u200b",
        "pla\u0131n",
        "\uff50lain",
        "a" * (_LONGEST_BYTES + 1),
        "a" * 62 + "b",
        "a" * 200,
        "\u00e4" * 32,
        'quo"te"',
        "U&plain",
        "plain; SELECT 1",
        'plain"; SELECT 1 --',
        'plain" AS p --',
        'plain" WHERE true --',
        f'plain", {schema}."bystander',
        f"plain, {schema}.bystander",
        "plain AS p",
        "(SELECT 1)",
        "pg_class",
        "pg_authid",
        "",
    )


@dataclass(frozen=True, slots=True)
class NamePlan:
    """One request: a table, a column to be read, and the column of a filter, each as it is sent."""

    table: str
    columns: tuple[str, ...] = ()
    filter_column: str | None = None


def plan_names(schema: str, choice: random.Random, *, is_full: bool) -> Iterator[NamePlan]:
    """Every planted and every absent name as a table's, then names in the places of columns, then generated ones anywhere."""
    # Once with a harmless name alone: what a service remembers of it must not open the way for the others.
    yield NamePlan(f"{schema}.plain")
    for name in (*list_tables(schema), *list_absent(schema)):
        yield NamePlan(f"{schema}.{name}", columns=COLUMNS[:1])
    for namespace in (schema.upper(), f"{schema} ", f'"{schema}"', f"{schema}x", "pg_catalog", "information_schema", ""):
        yield NamePlan(f"{namespace}.plain")
    strange = ("WHOSE", 'od""d', 'whose" AS x', 'whose", (SELECT 1) AS "x', "*", "1", "whose ", "ctid", "xmin", "plain", "c" * 64)
    for column in (*COLUMNS, *strange):
        yield NamePlan(f"{schema}.plain", columns=(column,))
    for column in ("whose", 'whose" IS NULL OR "whose', 'od"d', "whose--", "ctid", "plain", "true", "whose) OR (true"):
        yield NamePlan(f"{schema}.plain", filter_column=column)
    generated = generate_for(Place.IDENTIFIER, choice, table=f"{schema}.plain")
    for index, payload in enumerate(islice(generated, _FULL_GENERATED if is_full else _FAST_GENERATED)):
        text = payload.text[:200]
        match index % 3:
            case 0:
                yield NamePlan(f"{schema}.{text}", columns=COLUMNS[:1])
            case 1:
                yield NamePlan(f"{schema}.plain", columns=(text,))
            case _:
                yield NamePlan(f"{schema}.plain", filter_column=text)


def plant_tables(schema: PlantedSchema) -> None:
    """Every table with its one row; the bystander, which no request may touch, too. Raises SourceUnfitError."""
    need_unicode(schema.owner)
    for name in (*list_tables(schema.name), BYSTANDER):
        table = sql.Identifier(schema.name, name)
        held = COLUMNS[:1] if name == BYSTANDER else COLUMNS
        columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in held)
        values = sql.SQL(", ").join(sql.Literal(f"{name}|{column}") for column in held)
        schema.owner.execute(sql.SQL("CREATE TABLE {} ({})").format(table, columns))
        schema.owner.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(table, values))
        schema.owner.execute(sql.SQL("GRANT SELECT ON {} TO PUBLIC").format(table))


def expect_rows(plan: NamePlan, tables: Sequence[str], schema: str) -> dict[str, str] | None:
    """The one row that the request may bring back, by what the server's catalogue holds; None when it must be refused.

    As in the documentation of the API, only the first dot separates a schema from a table.
    """
    namespace, _dot, name = plan.table.partition(".")
    wanted = plan.columns or COLUMNS
    known = namespace == schema and name in tables
    if not known or not set(wanted) <= set(COLUMNS) or (plan.filter_column is not None and plan.filter_column not in COLUMNS):
        return None
    return {column: f"{name}|{column}" for column in wanted}
