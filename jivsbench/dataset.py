"""Seeded test data: one table of 11 columns, about 500 bytes a row, the same bytes for the same seed on every machine.

Rows are made in chunks, each from a seed of its own, so that any part can be made again without the parts before it.
"""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final

import pyarrow as pa

from jivsbench.api import Connection
from jivsbench.errors import UnknownNameError, VerificationError
from jivsbench.model.table import ExtractionRequest, Filter, Operator, TableName, add_up_counts
from jivsbench.model.whole_numbers import parse_whole_number

TABLE: Final = TableName("bench_rows")
SEED: Final = 20_240_101
INDEXED: Final = ("status", "category", "created_at")
SIZES: Final = (("1k", 1_000), ("10k", 10_000), ("50k", 50_000), ("100k", 100_000), ("1m", 1_000_000), ("10m", 10_000_000))
CHUNK_ROWS: Final = 10_000

_STATUSES = ("active", "pending", "suspended", "closed")
_CATEGORIES = ("retail", "wholesale", "online", "partner", "internal")
_FIRST = (
    "Ana",
    "Boris",
    "Chloé",
    "Dmitri",
    "Elif",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jürgen",
    "Kai",
    "Léa",
    "Mina",
    "Noor",
    "Óscar",
    "Zoë",
)
_LAST = (
    "Almeida",
    "Bauer",
    "Chen",
    "Diallo",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ivanov",
    "Jansen",
    "Kowalska",
    "Lindqvist",
    "O'Neill",
)
_WORDS = (
    *("account", "balance", "carrier", "delivery", "estimate", "forecast", "goods", "harbour", "invoice", "journal", "ledger"),
    *(
        "margin",
        "notice",
        "order",
        "payment",
        "quarter",
        "receipt",
        "shipment",
        "transfer",
        "urgent",
        "value",
        "warehouse",
        "yearly",
    ),
)
_WORDS_PER_ROW = 33
_FIRST_MOMENT_US = 1_577_836_800_000_000  # 2020-01-01 00:00 UTC
_SPAN_US = 4 * 365 * 86_400 * 1_000_000

SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("uuid", pa.string(), nullable=False, metadata={"jivsbench:type": "uuid"}),
        pa.field("name", pa.string(), nullable=False),
        pa.field("email", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("amount", pa.decimal128(10, 2), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        # Some descriptions are NULL and some are empty, because extractions like to confuse the two.
        pa.field("description", pa.string()),
        pa.field("metadata", pa.string(), nullable=False, metadata={"jivsbench:type": "jsonb"}),
        pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("updated_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Which rows: ids 1 to `rows`, made from `seed`."""

    rows: int
    seed: int = SEED

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in order of id, as batches of at most `CHUNK_ROWS`."""
        for first in range(1, self.rows + 1, CHUNK_ROWS):
            yield _chunk(self.seed, first, min(CHUNK_ROWS, self.rows + 1 - first))


def parse_size(text: str) -> int:
    """Rows of a named size (`100k`) or a plain number.

    >>> parse_size("100k"), parse_size("2500")
    (100000, 2500)
    """
    sizes = dict(SIZES)
    if text.lower() in sizes:
        return sizes[text.lower()]
    if rows := parse_whole_number(text):
        return rows
    raise UnknownNameError.among("data size", text, sizes)


def verify_dataset(connection: Connection, source: str, dataset: Dataset) -> None:
    """Read the table chunk by chunk and compare every value with the one that the seed gives.

    Raises VerificationError naming the first chunk that differs, MissingObjectError when there is no table.
    """
    connection.begin()
    whole = ExtractionRequest(source=source, table=TABLE)
    schema = connection.schema(whole)
    found = add_up_counts(connection.fingerprint(part) for part in connection.partitions(whole, schema, 1))
    if found != dataset.rows:
        raise VerificationError(f"table {TABLE} should have {dataset.rows} rows and has {found}: drop it and load it again")
    for expected in dataset.batches():
        first = expected.column("id")[0].as_py()
        last = first + expected.num_rows - 1
        request = ExtractionRequest(
            source=source,
            table=TABLE,
            filters=(
                Filter("id", Operator.GREATER_OR_EQUAL, (first,)),
                Filter("id", Operator.LESS_OR_EQUAL, (last,)),
            ),
        )
        rows = _read(connection, request).sort_by("id")
        if not _normalize(rows).equals(_normalize(pa.Table.from_batches([expected]))):
            raise VerificationError(
                f"rows {first} to {last} of table {TABLE} are not those of seed {dataset.seed}: drop it and load it again"
            )


def _read(connection: Connection, request: ExtractionRequest) -> pa.Table:
    schema = connection.schema(request)
    batches = [batch for part in connection.partitions(request, schema, 1) for batch in connection.read(part)]
    return pa.Table.from_batches(batches, schema.to_arrow())


def _normalize(table: pa.Table) -> pa.Table:
    """Values alone: one chunk, no metadata; sources without decimals or timestamps give text, which is compared as such."""
    columns = []
    for name in SCHEMA.names:
        column, wanted = table.column(name), SCHEMA.field(name).type
        columns.append(column.cast(wanted).combine_chunks())
    return pa.table(columns, names=SCHEMA.names)


def _chunk(seed: int, first: int, rows: int) -> pa.RecordBatch:
    source = random.Random(f"jivsbench:{seed}:{first}")  # noqa: S311 - reproducible data, not a secret
    given, family = source.choices(_FIRST, k=rows), source.choices(_LAST, k=rows)
    ids = range(first, first + rows)
    created = [_FIRST_MOMENT_US + source.randrange(_SPAN_US) for _ in ids]
    words = iter(source.choices(_WORDS, k=rows * _WORDS_PER_ROW))
    values = [
        ids,
        [str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in ids],
        [f"{a} {b}" for a, b in zip(given, family, strict=True)],
        [f"{a}.{b}.{i}@example.org".lower() for i, a, b in zip(ids, given, family, strict=True)],
        source.choices(_STATUSES, k=rows),
        [Decimal(source.randrange(1, 10_000_000)).scaleb(-2) for _ in ids],
        source.choices(_CATEGORIES, k=rows),
        [_describe(source.random(), list(islice(words, _WORDS_PER_ROW))) for _ in ids],
        [_document(source) for _ in ids],
        created,
        [moment + source.randrange(86_400_000_000) for moment in created],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(values, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _describe(chance: float, words: list[str]) -> str | None:
    if chance < 0.02:  # noqa: PLR2004 - two in a hundred are NULL, one in a hundred is empty
        return None
    return "" if chance < 0.03 else " ".join(words)  # noqa: PLR2004 - as above


def _document(source: random.Random) -> str:
    # As PostgreSQL prints jsonb: keys by length then by letter, one space after colon and comma.
    return f'{{"tier": {source.randrange(5)}, "score": {source.randrange(1000)}, "source": "batch-{source.randrange(100):02d}"}}'
