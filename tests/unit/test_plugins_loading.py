"""Loading: every way in which a plugin can fail to load is an error that names it."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from jivsbench.errors import DuplicateNameError, PluginLoadError, UnknownNameError
from jivsbench.plugins import ENTRY_POINT_GROUP, build_plugin_manager, load_registry

GUARD = """
from jivsbench.api import hookimpl

class Guard:
    name = "{name}"
    def review(self, request): pass

@hookimpl
def jivsbench_register_guards():
    return [Guard()]
"""

Install = Callable[..., str]


@pytest.fixture
def installed() -> list[str]:
    """Names of the plugins that are really installed, to be left out."""
    return [point.name for point in metadata.entry_points(group=ENTRY_POINT_GROUP)]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Write a plugin module that can be imported; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


@pytest.fixture
def install(tmp_path: Path, write_module: Install, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution whose metadata `importlib.metadata` reads like any other's."""

    def write(distribution: str, version: str, plugin: str, text: str) -> str:
        module = write_module(f"{distribution.replace('-', '_')}_module", text)
        folder = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{plugin} = {module}\n")
        monkeypatch.syspath_prepend(tmp_path)
        return plugin

    return write


def test_a_manager_is_built_anew_each_time() -> None:
    """Two calls give two managers: no plugin of one is seen by the other."""
    first = build_plugin_manager(entry_points=False)
    first.register(object(), name="stray")

    assert not build_plugin_manager(entry_points=False).has_plugin("stray")


def test_an_installed_plugin_carries_its_distribution_and_version(install: Install, installed: list[str]) -> None:
    """Facts of a plugin name the distribution that brought it."""
    install("acme-guard", "1.2.3", "acme", GUARD.format(name="acme-guard"))

    (facts,) = load_registry(disabled=installed).plugins

    assert (facts.name, facts.origin, facts.version) == ("acme", "acme-guard", "1.2.3")
    assert (facts.hooks, facts.offers) == (("jivsbench_register_guards",), ("guard acme-guard",))


def test_a_module_is_loaded_by_its_dotted_name(write_module: Install) -> None:
    """A plugin need not be installed: its module's name is its name, `module` its origin."""
    module = write_module("acme_by_name", GUARD.format(name="by-name") + '\n__version__ = "7"\n')

    registry = load_registry(extra_modules=[module], entry_points=False)

    assert "by-name" in [guard.name for guard in registry.guards]
    assert [(facts.name, facts.origin, facts.version) for facts in registry.plugins] == [(module, "module", "7")]


def test_a_module_named_twice_is_loaded_once(write_module: Install) -> None:
    """Naming a module twice, on the command line and in the file, is no conflict."""
    module = write_module("acme_twice", GUARD.format(name="twice"))

    assert len(load_registry(extra_modules=[module, module], entry_points=False).guards) == 1


def test_an_installed_module_that_is_also_named_is_loaded_once(install: Install, installed: list[str]) -> None:
    """An installed plugin whose module is named as well stays one plugin."""
    install("acme-both", "1", "both", GUARD.format(name="both"))

    registry = load_registry(extra_modules=["acme_both_module"], disabled=installed)

    assert [facts.name for facts in registry.plugins] == ["both"]


@pytest.mark.parametrize("name_to_disable", ["quiet", "acme-quiet", "Acme_Quiet"])
def test_a_plugin_is_disabled_by_its_name_or_its_distribution(
    install: Install, installed: list[str], name_to_disable: str
) -> None:
    """A disabled plugin is not even imported."""
    install("acme-quiet", "1", "quiet", "raise RuntimeError")

    assert load_registry(disabled=[*installed, name_to_disable]).plugins == ()


def test_a_misspelled_disabled_name_is_refused(install: Install, installed: list[str]) -> None:
    """Else the plugin that was to be turned off would stay on."""
    install("acme-loud", "1", "loud", GUARD.format(name="loud"))

    with pytest.raises(UnknownNameError, match="is called 'lound': did you mean 'loud'"):
        load_registry(disabled=[*installed, "lound"])


@pytest.mark.parametrize(("text", "shown"), [("raise ValueError('s3cret')", "ValueError"), ("raise SystemExit(3)", "SystemExit")])
def test_a_plugin_that_raises_at_import_is_named(install: Install, installed: list[str], text: str, shown: str) -> None:
    """The error names plugin, distribution, version and the exception's class, never its message, and keeps the cause."""
    install("acme-broken", "0.9", "broken", text)

    with pytest.raises(PluginLoadError) as caught:
        load_registry(disabled=installed)

    assert f"plugin 'broken' of acme-broken 0.9 raised {shown} when it was imported" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert type(caught.value.__cause__).__name__ == shown


def test_one_broken_plugin_does_not_hide_behind_another(install: Install, installed: list[str]) -> None:
    """A broken plugin is an error even when it is the last of several."""
    install("acme-fine", "1", "a-fine", GUARD.format(name="fine"))
    install("acme-worse", "1", "b-worse", "import no_such_module_anywhere")

    with pytest.raises(
        PluginLoadError, match=r"'b-worse' of acme-worse 1 raised ModuleNotFoundError \(no_such_module_anywhere\)"
    ):
        load_registry(disabled=installed)


def test_a_module_that_does_not_exist_is_named() -> None:
    """A misspelled module name shows the module that is missing."""
    with pytest.raises(PluginLoadError, match=r"plugin 'acme\.nothing' \(module\) raised ModuleNotFoundError \(acme\)"):
        load_registry(extra_modules=["acme.nothing"], entry_points=False)


def test_a_misspelled_hook_names_the_nearest_real_one(write_module: Install) -> None:
    """`check_pending` finds hooks that nobody would ever call."""
    module = write_module(
        "acme_misspelled",
        "from jivsbench.api import hookimpl\n@hookimpl\ndef jivsbench_register_gards():\n    return []\n",
    )

    with pytest.raises(PluginLoadError) as caught:
        load_registry(extra_modules=[module], entry_points=False)

    assert "plugin 'acme_misspelled' (module) implements the hook 'jivsbench_register_gards'" in str(caught.value)
    assert "did you mean 'jivsbench_register_guards'?" in str(caught.value)


def test_a_hook_with_an_unknown_argument_is_refused(write_module: Install) -> None:
    """A hook that asks for what its specification does not give is named with that argument."""
    module = write_module(
        "acme_argument",
        "from jivsbench.api import hookimpl\n@hookimpl\ndef jivsbench_run_finished(record, dashboard):\n    pass\n",
    )

    with pytest.raises(PluginLoadError, match=r"'acme_argument' \(module\) cannot be registered .*dashboard"):
        load_registry(extra_modules=[module], entry_points=False)


def test_a_hook_without_its_marker_is_refused(write_module: Install) -> None:
    """A forgotten @hookimpl would leave a guard out in silence."""
    module = write_module("acme_unmarked", "def jivsbench_register_guards():\n    return []\n")

    with pytest.raises(PluginLoadError, match=r"'acme_unmarked' .* defines 'jivsbench_register_guards' without @hookimpl"):
        load_registry(extra_modules=[module], entry_points=False)


def test_two_plugins_of_one_name_are_refused(install: Install, installed: list[str]) -> None:
    """The error names both distributions, and following its advice helps."""
    install("acme-one", "1", "same", GUARD.format(name="one"))
    install("acme-two", "2", "same", GUARD.format(name="two"))

    with pytest.raises(DuplicateNameError) as caught:
        load_registry(disabled=installed)

    assert "two plugins are called 'same'" in str(caught.value)
    assert "acme-one 1" in str(caught.value)
    assert "acme-two 2" in str(caught.value)
    advised = str(caught.value).rpartition("=")[2]
    assert len(load_registry(disabled=[*installed, advised]).plugins) == 1


def test_two_objects_of_one_name_are_refused(write_module: Install) -> None:
    """The error names both plugins and how to disable one."""
    first = write_module("acme_first", GUARD.format(name="strict"))
    second = write_module("acme_second", GUARD.format(name="strict"))

    with pytest.raises(DuplicateNameError) as caught:
        load_registry(extra_modules=[first, second], entry_points=False)

    assert str(caught.value) == (
        "two guards are called 'strict' (plugin 'acme_first' (module), plugin 'acme_second' (module)): "
        "disable one with JIVSBENCH_DISABLE_PLUGINS=acme_second"
    )


def test_one_plugin_with_two_objects_of_one_name_is_refused(write_module: Install) -> None:
    """No advice to disable: the plugin itself has to change."""
    module = write_module("acme_double", GUARD.format(name="double").replace("[Guard()]", "[Guard(), Guard()]"))

    with pytest.raises(DuplicateNameError, match=r"two guards are called 'double', both by plugin 'acme_double' \(module\)"):
        load_registry(extra_modules=[module], entry_points=False)


def test_two_reporters_of_one_file_are_refused(write_module: Install) -> None:
    """Two reporters of different names must not overwrite each other's file."""
    text = (
        "from jivsbench.api import hookimpl\nclass R:\n    filename = 'report.html'\n"
        "    def __init__(self, name): self.name = name\n"
        "    def render(self, record, summary, verdict): pass\n"
        "@hookimpl\ndef jivsbench_register_reporters():\n    return [R('a'), R('b')]\n"
    )

    with pytest.raises(DuplicateNameError, match=r"two reporters write 'report\.html'"):
        load_registry(extra_modules=[write_module("acme_reports", text)], entry_points=False)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise KeyError('s3cret')", "raised KeyError in jivsbench_register_guards"),
        ("yield 1 / 0", "raised ZeroDivisionError in jivsbench_register_guards"),
        ("return None", "returned None from jivsbench_register_guards"),
        ("return 5", "raised TypeError in jivsbench_register_guards"),
        ("return [Guard]", "offers the class Guard as a guard: return an instance, Guard()"),
        ("return [object()]", "offers a guard (object) whose 'name' is no text"),
        ("g = Guard(); g.name = ''; return [g]", "offers a guard (Guard) whose 'name' is no text"),
        ("g = Guard(); g.review = None; return [g]", "offers a guard (Guard) without a method 'review'"),
        ("return [Raising()]", "offers a Raising whose 'name' raised RuntimeError"),
    ],
)
def test_an_offer_that_cannot_be_used_is_refused(write_module: Install, body: str, problem: str, request) -> None:
    """The error says which plugin, which hook, and what is wrong with the offer."""
    text = GUARD.format(name="g").replace("return [Guard()]", body)
    text = "class Raising:\n    @property\n    def name(self): raise RuntimeError\n" + text
    module = write_module(f"acme_offer_{abs(hash(request.node.name))}", text)

    with pytest.raises(PluginLoadError) as caught:
        load_registry(extra_modules=[module], entry_points=False)

    assert problem in str(caught.value)
    assert module in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_connector_whose_schemes_are_a_text_is_refused(write_module: Install) -> None:
    """("sqlite") without its comma would be taken for six schemes of one letter."""
    text = (
        "from jivsbench.api import hookimpl\nclass C:\n    name = 'c'; dialect = ''; schemes = 'sqlite'\n"
        "    def connect(self, source, limits): pass\n"
        "@hookimpl\ndef jivsbench_register_connectors():\n    return [C()]\n"
    )

    with pytest.raises(PluginLoadError, match="whose 'schemes' is no tuple of texts"):
        load_registry(extra_modules=[write_module("acme_schemes", text)], entry_points=False)
