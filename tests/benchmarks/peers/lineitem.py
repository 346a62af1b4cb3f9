"""The table that every contender extracts, and what must be true of each output."""

import subprocess
import sysconfig
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

TABLE: Final = "lineitem"
_CREATE: Final = """
CREATE TABLE lineitem (
  l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, l_linenumber integer NOT NULL,
  l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL,
  l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL,
  l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL,
  l_comment varchar(44) NOT NULL)
"""
_MONEY: Final = pa.decimal128(15, 2)
_KINDS: Final = {
    "integer": ("l_orderkey", "l_partkey", "l_suppkey", "l_linenumber"),
    "decimal": ("l_quantity", "l_extendedprice", "l_discount", "l_tax"),
    "date": ("l_shipdate", "l_commitdate", "l_receiptdate"),
    "text": ("l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode", "l_comment"),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Figures that differ when a row is lost, doubled or changed."""

    rows: int
    keys: int
    prices: Decimal
    first_date: str
    last_date: str
    comment_characters: int


_FACTS: Final = """
SELECT count(*), sum(l_orderkey), sum(l_extendedprice), min(l_shipdate)::text, max(l_shipdate)::text, sum(length(l_comment))
  FROM lineitem
"""


def load_lineitem(url: str, scale: float, folder: Path) -> Facts:
    """Generate the table with tpchgen, load it, and ask the server for its facts."""
    generator = Path(sysconfig.get_path("scripts"), "tpchgen-cli")
    subprocess.run([generator, "csv", "-s", str(scale), "--tables=lineitem", f"--output-dir={folder}"], check=True)
    with psycopg.connect(url, autocommit=True) as owner, (folder / "lineitem.csv").open("rb") as rows:
        owner.execute(_CREATE)
        with owner.cursor().copy("COPY lineitem FROM STDIN (FORMAT csv, HEADER)") as copy:
            while block := rows.read(1 << 20):
                copy.write(block)
        owner.execute("VACUUM (ANALYZE, FREEZE) lineitem")
        owner.execute("CHECKPOINT")
        return Facts(*map(_plain, owner.execute(_FACTS).fetchone() or ()))


def _plain(value: object) -> object:
    return int(value) if isinstance(value, Decimal) and value == int(value) and value.as_tuple().exponent == 0 else value


def read_facts(folder: Path) -> Facts:
    """The same figures of an output, whatever types it has; a float's sum is rounded to cents."""
    table = _open(folder).to_table(columns=["l_orderkey", "l_extendedprice", "l_shipdate", "l_comment"])
    prices, dates = table["l_extendedprice"], table["l_shipdate"]
    if not pa.types.is_decimal(prices.type):
        prices = pc.cast(prices, _MONEY) if not pa.types.is_floating(prices.type) else pc.cast(pc.round(prices, 2), _MONEY)
    dates = pc.cast(dates, pa.date32())
    return Facts(
        table.num_rows,
        pc.sum(table["l_orderkey"]).as_py(),
        pc.sum(prices).as_py(),
        str(pc.min(dates).as_py()),
        str(pc.max(dates).as_py()),
        pc.sum(pc.utf8_length(table["l_comment"])).as_py(),
    )


def _open(folder: Path) -> ds.Dataset:
    """All files of the output; a tool that writes tables of its own beside it names the folder after the table."""
    files = sorted(folder.rglob("*.parquet"))
    named = [path for path in files if path.parent.name == TABLE]
    return ds.dataset(named or files, format="parquet")


def describe_types(folder: Path) -> str:
    """`kept`, or which kinds of columns became something else."""
    schema = _open(folder).schema
    changed = [f"{kind} became {schema.field(names[0]).type}" for kind, names in _KINDS.items() if not _is_kept(schema, kind)]
    return ", ".join(changed) or "kept"


def _is_kept(schema: pa.Schema, kind: str) -> bool:
    types = [schema.field(name).type for name in _KINDS[kind]]
    match kind:
        case "integer":
            return all(pa.types.is_integer(found) for found in types)
        case "decimal":
            return all(pa.types.is_decimal(found) and found.scale == _MONEY.scale for found in types)
        case "date":
            return all(pa.types.is_date32(found) for found in types)
        case _:
            return all(pa.types.is_string(found) or pa.types.is_large_string(found) or "view" in str(found) for found in types)
