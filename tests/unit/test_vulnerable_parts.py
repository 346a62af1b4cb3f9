"""The parts that are wrong on purpose are wrong in one thing alone: they neither hang nor close a hole in silence."""

import sys
from importlib import metadata
from types import ModuleType

import pytest

from jivsbench.errors import CancelledJobError, ExtractionError
from jivsbench.extract import metadata_cache
from jivsbench.model.profile import CacheTimes
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench.testing.vulnerable import fstring
from jivsbench.testing.vulnerable.confused_cache import join_names
from jivsbench.testing.vulnerable.naive_errors import _find_bottom
from jivsbench.testing.vulnerable.replacing import replace_part
from tests.unit.jobs_caches import DictCache, tell_version
from tests.unit.jobs_stores import build_source
from tests.unit.test_metadata_cache import SCHEMA


def test_the_bottom_of_causes_that_go_in_a_circle_is_found():
    """An error that is, by way of another, a cause of itself has a first cause all the same."""
    told, copied = CancelledJobError("told"), ExtractionError("copied")
    told.__cause__, copied.__cause__ = copied, told

    assert _find_bottom(told) is copied
    assert _find_bottom(ValueError("alone")).args == ("alone",)


@pytest.mark.parametrize("part", [10, b"a frozen value", len])
def test_each_plugin_s_hole_in_a_part_is_made_once(part: object, monkeypatch: pytest.MonkeyPatch):
    """Also in a part that no mark can be put on; a second plugin's hole in the same part is made as well."""
    host = ModuleType("host_of_a_part")
    host.part = part
    monkeypatch.setitem(sys.modules, "host_of_a_part", host)

    def wrap(original: object) -> tuple[object]:
        return (original,)

    def wrap_elsewhere(original: object) -> list[object]:
        return [original]

    wrap_elsewhere.__module__ = "another_plugin"
    for build in (wrap, wrap, wrap_elsewhere, wrap, wrap_elsewhere):
        replace_part("host_of_a_part:part", build)

    assert host.part == [(part,)]


def test_a_part_that_is_gone_is_no_hole():
    """It is an error each time, not a hole that quietly closes."""
    for _ in range(2):
        with pytest.raises(AttributeError):
            replace_part("jivsbench.errors:NoSuchError", lambda original: original)


def test_the_installed_connectors_are_read_once(monkeypatch: pytest.MonkeyPatch):
    """Each request for a source asks for the schemes, and nothing is installed while a target runs."""
    known = fstring.list_connectors()
    monkeypatch.setattr(metadata, "distributions", lambda **_path: pytest.fail("the installed distributions were read again"))

    assert fstring.list_connectors() is known
    assert fstring.FStringConnector().schemes == tuple(sorted(known))


def test_careless_keys_confuse_the_schemas_of_two_requests(monkeypatch: pytest.MonkeyPatch):
    """Of columns that are the same text when they are joined; with the host's own keys each has its own."""
    client, columns = DictCache(), (("a", "b:c"), ("a:b", "c"))
    kept = []
    for digest in (metadata_cache._digest_shape, join_names(metadata_cache._digest_shape)):
        monkeypatch.setattr(metadata_cache, "_digest_shape", digest)
        cache = metadata_cache.MetadataCache(client, CacheTimes())
        for names in columns:
            request = ExtractionRequest("shop", TableName("orders"), columns=names)
            cache.schema(build_source(), request, lambda: SCHEMA, tell_version)
        kept.append(len(client.entries))
        client.entries.clear()

    assert kept == [2, 1]
