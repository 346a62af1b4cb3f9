"""The connector passes the contract that jivsbench ships, and is found where it is installed."""

from importlib.metadata import version
from pathlib import Path

import pyarrow.csv as pa_csv
import pytest

from jivsbench.api import ReadLimits
from jivsbench.errors import MissingObjectError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench.plugins import load_registry
from jivsbench.testing.connector_contract import ConnectorContract
from jivsbench.testing.contract_table import LoadedTable, build_contract_table, new_table_name


class TestCsvFolder(ConnectorContract):
    @pytest.fixture
    def connector(self):
        return load_registry().connector("csvdir")

    @pytest.fixture
    def source(self, tmp_path: Path) -> DataSource:
        return DataSource("exports", "csvdir", Secret(f"csvdir://{tmp_path}"))

    @pytest.fixture
    def loaded(self, tmp_path: Path) -> LoadedTable:
        name, rows = new_table_name(), build_contract_table()
        pa_csv.write_csv(rows, tmp_path / f"{name}.csv")
        return LoadedTable(name, rows)


def test_it_is_installed_as_a_distribution() -> None:
    """Facts name the distribution, its version, the hook and the connector."""
    (facts,) = [plugin for plugin in load_registry().plugins if plugin.name == "csvdir"]

    assert (facts.origin, facts.version) == ("jivsbench-csvdir", version("jivsbench-csvdir"))
    assert (facts.hooks, facts.offers) == (("jivsbench_register_connectors",), ("connector csvdir",))


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    """`../secrets` is no table."""
    (tmp_path / "secrets.csv").write_text("a\n1\n")
    (tmp_path / "open").mkdir()
    source = DataSource("exports", "csvdir", Secret(f"csvdir://{tmp_path}/open"))
    connection = load_registry().connector("csvdir").connect(source, ReadLimits())

    with pytest.raises(MissingObjectError, match=r"no file \.\./secrets\.csv"):
        connection.schema(ExtractionRequest("exports", TableName("../secrets")))
