"""`jivsbench extract` into each format, with transforms of the configuration, as a user does it."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import run

from jivsbench.exitcodes import ExitCode

TRANSFORMS = """
[[transforms]]
kind = "mask"
column = "email"
how = "digest"
[[transforms]]
kind = "filter"
column = "id"
operator = "<="
values = [100]
[[transforms]]
kind = "keep"
columns = ["id", "email"]
"""
MASKING_KEY = "S3cr3t-d1a0f5b6c37e48920f6d3b71ce5a8294d07be6f1"


def read_rows(path: Path) -> list[list[str]]:
    """Header and rows as texts, by a reader that is not the writer's."""
    match path.suffix:
        case ".parquet":
            table = pq.read_table(path)
        case ".arrow":
            table = pa.ipc.open_file(path).read_all()
        case ".csv":
            with path.open(newline="") as file:
                return list(csv.reader(file))
        case _:
            objects = [json.loads(line) for line in path.read_text().splitlines()]
            return [list(objects[0]), *([str(value) for value in row.values()] for row in objects)]
    return [table.schema.names, *([str(value) for value in row.values()] for row in table.to_pylist())]


@pytest.mark.parametrize("output_format", ["parquet", "arrow", "csv", "jsonl"])
def test_masked_and_filtered_rows_in_every_format(tmp_path: Path, loaded_source: str, output_format: str) -> None:
    """A hundred rows with the digest of the e-mail address; the key and the addresses stand nowhere."""
    plain = "[profiles.plain.switches]\ncompression = false\n"
    (tmp_path / "jivsbench.toml").write_text(TRANSFORMS + plain)

    ended = run(
        *("extract", loaded_source, "bench_rows", "--to", "rows", "--format", output_format, "--profile", "plain", "--json"),
        cwd=tmp_path,
        JIVSBENCH_MASKING_KEY=MASKING_KEY,
    )
    assert ended.status == ExitCode.PASSED, ended.stderr

    shown = json.loads(ended.stdout)
    assert shown["rows_written"] == 100
    assert shown["changed_columns"] == ["email"]
    assert shown["rows_filtered"] == shown["rows_read"] - 100 > 0
    header, *rows = [row for file in shown["files"] for row in read_rows(tmp_path / "rows" / file["name"]) if file["rows"]]
    assert header == ["id", "email"]
    assert sorted(int(identifier) for identifier, _digest in rows) == list(range(1, 101))
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for _identifier, digest in rows)
    manifest = json.loads((tmp_path / "rows" / "manifest.json").read_text())
    assert manifest["transforms"] == ["mask email: digest", "filter id <=", "keep id, email"]
    assert (manifest["output"]["format"], manifest["output"]["compression"]) == (output_format, "none")
    assert MASKING_KEY not in ended.stdout + ended.stderr + json.dumps(manifest)


def test_a_transform_of_an_unknown_column_is_named(tmp_path: Path, loaded_source: str) -> None:
    """With the nearest column; nothing is written."""
    (tmp_path / "jivsbench.toml").write_text('[[transforms]]\nkind = "drop"\ncolumns = ["emial"]\n')

    ended = run("extract", loaded_source, "bench_rows", "--to", "rows", cwd=tmp_path)

    assert ended.status == ExitCode.USAGE
    assert "no column is called 'emial': did you mean 'email'?" in ended.error
    assert not (tmp_path / "rows").exists()
