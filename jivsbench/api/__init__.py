"""Everything a plugin author imports: `hookimpl`, the hook specifications and the protocols of what plugins offer."""

from jivsbench.api.checks import CheckContext, SecurityCheck, TargetApi, TargetVariant
from jivsbench.api.hookspecs import PROJECT, HookSpecs, hookimpl
from jivsbench.api.protocols import (
    Cache,
    CacheClient,
    ColumnFingerprinter,
    Connection,
    Connector,
    ConsistencyTeller,
    EntryAdder,
    Guard,
    GuardRequest,
    KeyPartitioner,
    ReadLimits,
    Reporter,
    RowFingerprinter,
    RowReader,
    TableLoader,
    WatermarkTeller,
)
from jivsbench.api.workloads import JobSpan, Response, UserContext, Workload

__all__ = [
    "PROJECT",
    "Cache",
    "CacheClient",
    "CheckContext",
    "ColumnFingerprinter",
    "Connection",
    "Connector",
    "ConsistencyTeller",
    "EntryAdder",
    "Guard",
    "GuardRequest",
    "HookSpecs",
    "JobSpan",
    "KeyPartitioner",
    "ReadLimits",
    "Reporter",
    "Response",
    "RowFingerprinter",
    "RowReader",
    "SecurityCheck",
    "TableLoader",
    "TargetApi",
    "TargetVariant",
    "UserContext",
    "WatermarkTeller",
    "Workload",
    "hookimpl",
]
