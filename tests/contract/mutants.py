"""Connectors and caches with one planted bug each. The contract must catch every one of them."""

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from jivsbench.errors import SourceUnreachableError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import Fingerprint, KeySplit, Operator, Partition
from jivsbench.testing.cache_contract import CacheContract
from jivsbench.testing.connector_contract import ConnectorContract
from jivsbench.testing.fakes import FailingCacheClient, FakeConnector
from jivsbench.testing.fakes.connector import FakeConnection
from jivsbench_memory.cache import MemoryCache
from jivsbench_memory.client import MemoryCacheClient


class LosesTheLastRow(FakeConnection):
    def read(self, partition):
        for batch in super().read(partition):
            yield batch.slice(0, batch.num_rows - 1)


class ReadsNullAsEmpty(FakeConnection):
    def read(self, partition):
        for batch in super().read(partition):
            if "name" not in batch.schema.names:
                yield batch
                continue
            at = batch.schema.get_field_index("name")
            yield batch.set_column(at, batch.schema.field(at), batch.column(at).fill_null(""))


class OverlapsPartitions(FakeConnection):
    def partitions(self, request, schema, streams):
        parts = super().partitions(request, schema, streams)
        return tuple(
            replace(part, predicate=f"{max(0, int(part.predicate.partition(':')[0]) - 1)}:{part.predicate.partition(':')[2]}")
            for part in parts
        )


class LosesItsLastBound(FakeConnection):
    def split_by_key(self, request, partition_rows):
        rows = self._select(request).num_rows
        return KeySplit(
            "t", ("id",), tuple((str(start),) for start in range(partition_rows, rows, partition_rows)), has_null_part=False
        )

    def key_partitions(self, request, schema, split):
        bounds = [0, *(int(bound[0]) for bound in split.bounds)]
        return tuple(Partition(i, request, schema, f"{low}:{high}") for i, (low, high) in enumerate(pairwise(bounds)))


class LimitsEachPartition(FakeConnection):
    def partitions(self, request, schema, streams):
        parts = super().partitions(request, schema, streams)
        return tuple(replace(part, index=index, predicate="") for index, part in enumerate(parts))


class CountsTheWholeTable(FakeConnection):
    def fingerprint(self, partition):
        return Fingerprint(self._find(partition.request).num_rows)


class IgnoresOneOperator(FakeConnection):
    def _select(self, request):
        kept = tuple(condition for condition in request.filters if condition.operator is not Operator.NOT_EQUAL)
        return super()._select(replace(request, filters=kept))


class TurnsMomentsIntoText(FakeConnection):
    def read(self, partition):
        for batch in super().read(partition):
            names = batch.schema.names
            columns = [column.cast(pa.string()) if pa.types.is_timestamp(column.type) else column for column in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, names)


class SortsItsColumns(FakeConnection):
    def schema(self, request):
        schema = super().schema(request)
        return replace(schema, columns=tuple(sorted(schema.columns, key=lambda column: column.name)))


class TellsOneVersion(FakeConnection):
    def schema_version(self, request):  # noqa: ARG002 - the protocol's
        return "1"


class NeverDies(FakeConnection):
    def is_alive(self):
        return True


class RemembersTheCancel(FakeConnection):
    def cancel(self):
        self._is_cancelled.set()

    def read(self, partition):
        was_cancelled = self._is_cancelled.is_set()
        for batch in super().read(partition):
            if was_cancelled:
                return
            yield batch


class MutantConnector(FakeConnector):
    def __init__(self, kind) -> None:
        super().__init__()
        self.kind = kind

    def connect(self, source, limits):
        super().connect(source, limits)
        return self.kind(self, limits)


class TellsThePassword(FakeConnector):
    def connect(self, source, limits):
        try:
            return super().connect(source, limits)
        except SourceUnreachableError as exc:
            raise SourceUnreachableError(f"cannot open {source.url.reveal()}") from exc


class OverwritesTables(FakeConnector):
    def load_table(self, source, table, schema, batches, indexes):
        self.tables.pop(str(table), None)
        return super().load_table(source, table, schema, batches, indexes)


class OfConnector(ConnectorContract):
    mutant: object

    @pytest.fixture
    def connector(self):
        return MutantConnector(self.mutant) if issubclass(self.mutant, FakeConnection) else self.mutant()

    @pytest.fixture
    def source(self):
        return DataSource("mutant", "fake", Secret("fake://memory"))

    @pytest.fixture
    def unreachable(self):
        return DataSource("mutant", "fake", Secret("fake://ann:s3cr3t-of-the-contract@unreachable"))


class ForgetsToExpire(MemoryCacheClient):
    def set(self, key, value, ttl_s):
        super().set(key, value, 60 if ttl_s > 0 else ttl_s)


class TakesPrefixesForPatterns(MemoryCacheClient):
    def delete_prefix(self, prefix):
        return super().delete_prefix(prefix.partition("*")[0])


class SharesItsKeys(MemoryCacheClient):
    entries: dict[str, bytes] = {}  # noqa: RUF012 - the planted bug: all clients share it

    def set(self, key, value, ttl_s):
        super().set(key, value, ttl_s)
        self.entries[key] = value

    def get(self, key):
        return super().get(key) or self.entries.get(key)


class RaisesWhenClosed(MemoryCacheClient):
    def get(self, key):
        if self._is_closed:
            raise ValueError(key)
        return super().get(key)


class CountsDeletesTwice(MemoryCacheClient):
    def delete(self, key):
        super().delete(key)
        self._deletes += 1


class AddsOverOthers(MemoryCacheClient):
    def add(self, key, value, ttl_s):
        self.set(key, value, ttl_s)
        return True


class MutantCache(MemoryCache):
    def __init__(self, kind) -> None:
        super().__init__()
        self.kind = kind

    def open(self, url, prefix, timeout_s):  # noqa: ARG002 - the protocol's
        return FailingCacheClient() if self.kind is FailingCacheClient else self.kind(prefix, self._bounds, self._clock)


class OfCache(CacheContract):
    mutant: object

    @pytest.fixture
    def cache(self):
        return MutantCache(self.mutant)


def _plant(contract, mutant):
    return type(f"Test{mutant.__name__}", (contract,), {"mutant": mutant, "__module__": __name__})


CONNECTOR_MUTANTS = (
    LosesTheLastRow,
    ReadsNullAsEmpty,
    OverlapsPartitions,
    LosesItsLastBound,
    LimitsEachPartition,
    CountsTheWholeTable,
    IgnoresOneOperator,
    TurnsMomentsIntoText,
    SortsItsColumns,
    TellsOneVersion,
    NeverDies,
    RemembersTheCancel,
    TellsThePassword,
    OverwritesTables,
)
CACHE_MUTANTS = (
    ForgetsToExpire,
    TakesPrefixesForPatterns,
    SharesItsKeys,
    RaisesWhenClosed,
    CountsDeletesTwice,
    AddsOverOthers,
    FailingCacheClient,
)
for _mutant in CONNECTOR_MUTANTS:
    globals()[f"Test{_mutant.__name__}"] = _plant(OfConnector, _mutant)
for _mutant in CACHE_MUTANTS:
    globals()[f"Test{_mutant.__name__}"] = _plant(OfCache, _mutant)


class OneFailureIsEnough:
    """A pytest plugin: once a mutant is caught, the rest of its contract is left out."""

    def __init__(self) -> None:
        self.caught = set()

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.caught.add(report.nodeid.split("::")[1])

    def pytest_runtest_setup(self, item):
        if item.nodeid.split("::")[1] in self.caught:
            pytest.skip("this mutant is caught already")


if __name__ == "__main__":
    alone = ["-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(Path(__file__).parent), "--noconftest"]
    sys.exit(pytest.main(["-q", "--tb=no", "-rf", "--import-mode=importlib", *alone, __file__], plugins=[OneFailureIsEnough()]))
