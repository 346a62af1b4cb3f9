"""Each hook, once: what a plugin returns from it is what the registry offers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jivsbench.errors import ConfigError, DuplicateNameError, UnknownNameError
from jivsbench.model.secret import Secret
from jivsbench.plugins import Registry, load_registry

Load = Callable[[str], Registry]

CONNECTORS = """
class Thing:
    dialect = ""
    def __init__(self, name, *schemes): self.name, self.schemes = name, schemes
    def connect(self, source, limits): raise NotImplementedError
    def open(self, url, prefix, timeout_s): raise NotImplementedError
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Load:
    """Load the text of one plugin module, and nothing else."""
    monkeypatch.syspath_prepend(tmp_path)
    module = f"acme_hook_{abs(hash(request.node.name))}"

    def load(text: str) -> Registry:
        (tmp_path / f"{module}.py").write_text(f"from jivsbench.api import hookimpl\n{text}")
        return load_registry(extra_modules=[module], entry_points=False)

    return load


def test_jivsbench_register_connectors_is_found_by_name_and_by_scheme(load: Load) -> None:
    """A connector is chosen by its name, or by the scheme of a URL in any case."""
    registry = load(
        CONNECTORS
        + "@hookimpl\ndef jivsbench_register_connectors():\n    return [Thing('b', 'bee'), Thing('a', 'ay', 'aye'), Thing('c')]\n"
    )

    assert [connector.name for connector in registry.connectors] == ["a", "b", "c"]
    assert registry.connector("b").name == "b"
    assert registry.connector_for_url(Secret("AYE://host/x")).name == "a"
    assert registry.plugins[0].offers == ("connector a", "connector b", "connector c")


def test_an_unknown_scheme_shows_no_part_of_the_url(load: Load) -> None:
    """The nearest scheme is named; user, password and host are not."""
    registry = load(CONNECTORS + "@hookimpl\ndef jivsbench_register_connectors():\n    return [Thing('pg', 'postgresql')]\n")

    with pytest.raises(UnknownNameError, match="did you mean 'postgresql'") as caught:
        registry.connector_for_url(Secret("postgres://ann:s3cret@db/shop"))
    assert "ann" not in str(caught.value)
    with pytest.raises(ConfigError, match="has no scheme") as caught_config:
        registry.connector_for_url(Secret("s3cret:thing@db"))
    assert "s3cret" not in str(caught_config.value)


def test_a_scheme_that_two_connectors_open_must_be_decided(load: Load) -> None:
    """Neither connector is picked by chance."""
    registry = load(
        CONNECTORS + "@hookimpl\ndef jivsbench_register_connectors():\n    return [Thing('one', 'x'), Thing('two', 'x')]\n"
    )

    with pytest.raises(DuplicateNameError, match=r"2 connectors open x:// URLs \(one, two\): name it with `connector`"):
        registry.connector_for_url(Secret("x://host"))


def test_jivsbench_register_caches_is_found_by_name_and_by_scheme(load: Load) -> None:
    """A cache is chosen by its name or by the scheme of its URL."""
    registry = load(CONNECTORS + "@hookimpl\ndef jivsbench_register_caches():\n    return [Thing('tiny', 'tiny')]\n")

    assert registry.cache("tiny") is registry.cache_for_url(Secret("tiny://here")) is registry.caches[0]
    with pytest.raises(UnknownNameError, match="no cache is called 'tinny': did you mean 'tiny'"):
        registry.cache("tinny")


def test_jivsbench_register_guards_may_be_a_generator(load: Load) -> None:
    """Any iterable will do."""
    registry = load(
        "class G:\n    name = 'strict'\n    def review(self, request): pass\n"
        "@hookimpl\ndef jivsbench_register_guards():\n    yield G()\n"
    )

    assert [guard.name for guard in registry.guards] == ["strict"]


def test_jivsbench_register_checks_is_found_by_id(load: Load) -> None:
    """A check is named by its id."""
    registry = load(
        "class C:\n    title = 't'\n    def __init__(self, id): self.id = id\n    def run(self, context): pass\n"
        "@hookimpl\ndef jivsbench_register_checks():\n    return [C('SEC-002'), C('SEC-001')]\n"
    )

    assert [check.id for check in registry.checks] == ["SEC-001", "SEC-002"]
    assert registry.check("SEC-002").id == "SEC-002"
    with pytest.raises(UnknownNameError, match="no security check is called 'SEC-003'"):
        registry.check("SEC-003")


def test_jivsbench_register_workloads_is_found_by_name(load: Load) -> None:
    """A workload is named by a scenario."""
    registry = load(
        "class W:\n    name = 'mix'; operations = ('create', 'job')\n    def iterate(self, user): pass\n"
        "@hookimpl\ndef jivsbench_register_workloads():\n    return [W()]\n"
    )

    assert registry.workload("mix").operations == ("create", "job")
    with pytest.raises(UnknownNameError, match="no workload is called 'max'"):
        registry.workload("max")


def test_jivsbench_register_reporters_keeps_name_and_file(load: Load) -> None:
    """A reporter is named, and so is its file."""
    registry = load(
        "class R:\n    name = 'csv'; filename = 'run.csv'\n    def render(self, record, summary, verdict): pass\n"
        "@hookimpl\ndef jivsbench_register_reporters():\n    return [R()]\n"
    )

    assert [(reporter.name, reporter.filename) for reporter in registry.reporters] == [("csv", "run.csv")]


def test_jivsbench_run_finished_may_fail(load: Load) -> None:
    """A listener is told what it asks for; one that raises becomes a line of text and spoils nothing."""
    registry = load("@hookimpl\ndef jivsbench_run_finished(verdict):\n    if verdict == 'bad': raise OSError\n")

    assert registry.notify_run_finished("record", "summary", "good") == ()
    (problem,) = registry.notify_run_finished("record", "summary", "bad")
    assert problem.endswith("(module) raised OSError in jivsbench_run_finished")


def test_a_registry_without_plugins_offers_nothing() -> None:
    """Nothing is built in: even the host's own parts come through the hooks."""
    registry = load_registry(entry_points=False)

    assert registry.plugins == registry.connectors == registry.guards == ()
    assert registry.notify_run_finished("record", "summary", "verdict") == ()
