"""Transforms and formats in a configuration file: read as written, and every mistake named with its line and key."""

from pathlib import Path

import pytest

from jivsbench.config import find_profile, load_settings
from jivsbench.errors import ConfigError
from jivsbench.model.filters import Filter, Operator
from jivsbench.model.output import OutputFormat, OutputSettings
from jivsbench.model.secret import Secret
from jivsbench.model.transform import Cast, DropColumns, KeepColumns, KeepRows, Mask, Masking, Rename

EVERY_KIND = """
[[transforms]]
kind = "mask"
column = "email"
how = "last"
keep = 2
[[transforms]]
kind = "mask"
column = "name"
how = "digest"
[[transforms]]
kind = "rename"
column = "a"
to = "b"
[[transforms]]
kind = "cast"
column = "b"
to = "decimal(10,2)"
[[transforms]]
kind = "filter"
column = "b"
operator = "in"
values = [1, 2.5, "x", true]
[[transforms]]
kind = "filter"
column = "b"
operator = "is not null"
[[transforms]]
kind = "keep"
columns = ["email", "b"]
[[transforms]]
kind = "drop"
columns = ["b"]
"""


def write(folder: Path, text: str) -> Path:
    """A configuration file."""
    path = folder / "jivsbench.toml"
    path.write_text(text)
    return path


def test_every_kind_of_transform_is_read_in_its_order(tmp_path: Path) -> None:
    """Values keep their types."""
    settings = load_settings(write(tmp_path, EVERY_KIND), {})

    assert settings.transforms == (
        Mask("email", Masking.LAST, 2),
        Mask("name", Masking.DIGEST),
        Rename("a", "b"),
        Cast("b", "decimal(10,2)"),
        KeepRows(Filter("b", Operator.IN, (1, 2.5, "x", True))),
        KeepRows(Filter("b", Operator.IS_NOT_NULL)),
        KeepColumns(("email", "b")),
        DropColumns(("b",)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "maks"', r":2: transforms\[0\].kind: no transform is called 'maks': did you mean 'mask'"),
        ('column = "a"', "the key 'kind' is missing"),
        (
            'kind = "rename"\ncolumn = "a"\nhow = "last"',
            r":4: transforms\[0\].how: no key of .* is called 'how'",
        ),
        ('kind = "mask"\ncolumn = "a"\nhow = "hash"', "no how is called 'hash'"),
        ('kind = "mask"\ncolumn = "a"\nhow = "last"\nkeep = 0', "it must be 1 or more"),
        ('kind = "filter"\ncolumn = "a"\noperator = "=="\nvalues = [1]', "no operator is called '=='"),
        ('kind = "filter"\ncolumn = "a"\noperator = "="', "the operator '=' takes one value"),
        ('kind = "filter"\ncolumn = "a"\noperator = "="\nvalues = [1, 2]', "takes one value"),
        ('kind = "filter"\ncolumn = "a"\noperator = "in"', "takes one value or more"),
        ('kind = "filter"\ncolumn = "a"\noperator = "is null"\nvalues = [1]', "takes no values"),
        ('kind = "filter"\ncolumn = "a"\noperator = "="\nvalues = [nan]', "entry 1 must be text, a finite number, true or false"),
        ('kind = "drop"\ncolumns = []', "'columns' must name one column or more"),
    ],
)
def test_a_mistake_in_a_transform_is_named(tmp_path: Path, text: str, message: str) -> None:
    """File, line and key."""
    with pytest.raises(ConfigError, match=message):
        load_settings(write(tmp_path, f"[[transforms]]\n{text}\n"), {})


def test_the_masking_key_comes_from_a_private_file_or_the_environment(tmp_path: Path) -> None:
    """The environment overrides the file, as everywhere; a file that others can read is refused."""
    path = write(tmp_path, '[masking]\nkey_file = "masking.key"\n')
    secret = tmp_path / "masking.key"
    secret.write_text("of the file\n")
    secret.chmod(0o600)

    assert load_settings(path, {}).mask_key == Secret("of the file")
    assert load_settings(path, {"JIVSBENCH_MASKING_KEY": "of the environment"}).mask_key == Secret("of the environment")
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read the secret file"):
        load_settings(path, {})


def test_a_profile_says_how_rows_lie_on_disk(tmp_path: Path) -> None:
    """Format and safe mode; what is not said is that of the base."""
    settings = load_settings(write(tmp_path, '[profiles.sheets.output]\nformat = "csv"\nescape_formulas = false\n'), {})

    assert find_profile(settings, "sheets").output == OutputSettings(OutputFormat.CSV, escape_formulas=False)
    assert find_profile(settings, "optimized").output == OutputSettings()
    with pytest.raises(ConfigError, match="no output format is called 'cvs': did you mean 'csv'"):
        load_settings(write(tmp_path, '[profiles.sheets.output]\nformat = "cvs"\n'), {})
