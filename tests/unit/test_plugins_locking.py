"""plugins.lock: nothing is imported that it does not allow."""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from jivsbench.app.plugins import write_lock
from jivsbench.cli.root import root
from jivsbench.config import Settings
from jivsbench.errors import ConfigError, OutputError, PluginLoadError
from jivsbench.plugins import find_wanted, format_lock, load_registry, lock
from jivsbench.plugins.locking import parse_lock

PLUGIN = """
from pathlib import Path
from jivsbench.api import hookimpl
Path({marker!r}).touch()

@hookimpl
def jivsbench_register_guards():
    return []
"""


class Site:
    """A folder with one installed plugin, which leaves a marker when it is imported."""

    def __init__(self, folder: Path, name: str = "acme") -> None:
        self.folder, self.name = folder, name
        self.marker = folder / "imported"
        self.lock = folder / "plugins.lock"
        self.package = folder / f"{name}_plugin"
        self.package.mkdir()
        (self.package / "__init__.py").write_text(PLUGIN.format(marker=str(self.marker)))
        (self.package / "rules.py").write_text("LIMIT = 1\n")
        self.install("1.0")

    def install(self, version: str) -> None:
        """Its metadata, as pip would write it."""
        for old in self.folder.glob(f"{self.name}-*.dist-info/*"):
            old.unlink()
        folder = self.folder / f"{self.name}-{version}.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text(f"[jivsbench]\n{self.name} = {self.name}_plugin\n")

    def others(self) -> list[str]:
        """What is really installed, to be left out."""
        return [one.name for one in find_wanted() if one.name != self.name]

    def write_lock(self, *modules: str) -> None:
        """The lock of what is there now."""
        self.lock.write_text(format_lock(lock(find_wanted(disabled=self.others(), extra_modules=modules))))

    def load(self, *modules: str):
        """Load under the lock."""
        return load_registry(disabled=self.others(), extra_modules=modules, plugins_lock=self.lock)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """One plugin, locked."""
    monkeypatch.syspath_prepend(tmp_path)
    site = Site(tmp_path)
    site.write_lock()
    assert not site.marker.exists()
    yield site
    for name in [name for name in sys.modules if name.startswith(("acme", "evil_plugin", "single", "emptyland"))]:
        del sys.modules[name]


def test_a_locked_plugin_is_loaded(site: Site) -> None:
    """As it was locked, it loads; locking itself has imported nothing."""
    assert [plugin.name for plugin in site.load().plugins] == ["acme"]
    assert site.marker.exists()


def add_a_file(site: Site) -> None:
    """One more module."""
    (site.package / "more.py").write_text("")


def change_a_file(site: Site) -> None:
    """One number."""
    (site.package / "rules.py").write_text("LIMIT = 2\n")


def rename_a_file(site: Site) -> None:
    """The same content under another name."""
    (site.package / "rules.py").rename(site.package / "limits.py")


def take_a_file(site: Site) -> None:
    """One module less."""
    (site.package / "rules.py").unlink()


def move_a_line(site: Site) -> None:
    """The same text, split between files in another way."""
    (site.package / "__init__.py").write_text((site.package / "__init__.py").read_text() + "LIMIT = 1\n")
    (site.package / "rules.py").write_text("")


def install_another_version(site: Site) -> None:
    """The same files, another version."""
    site.install("1.1")


@pytest.mark.parametrize("tamper", [add_a_file, change_a_file, rename_a_file, take_a_file, move_a_line, install_another_version])
def test_a_plugin_that_changed_is_refused_before_it_runs(site: Site, tamper) -> None:
    """Whatever changed, the message names the plugin, and none of its code has run."""
    tamper(site)

    with pytest.raises(PluginLoadError, match=r"'acme'.*is not the one in"):
        site.load()
    assert not site.marker.exists()


def test_a_plugin_that_is_not_locked_is_refused_before_any_runs(site: Site, tmp_path: Path, monkeypatch) -> None:
    """An entry point that came later, and a module that was named: no plugin at all is imported."""
    folder = tmp_path / "later"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    evil = Site(folder, "evil")
    with pytest.raises(PluginLoadError, match=r"'evil' of evil 1.0 is not in"):
        load_registry(disabled=[name for name in site.others() if name != "evil"], plugins_lock=site.lock)
    with pytest.raises(PluginLoadError, match=r"'evil_plugin' \(module\) is not in"):
        site.load("evil_plugin")

    assert (site.marker.exists(), evil.marker.exists()) == (False, False)


def test_the_same_name_of_another_distribution_is_refused(site: Site) -> None:
    """A name alone is worth nothing."""
    site.lock.write_text(site.lock.read_text().replace('distribution = "acme"', 'distribution = "good-acme"'))

    with pytest.raises(PluginLoadError, match=r"its distribution is acme, good-acme is locked"):
        site.load()


def test_a_locked_plugin_that_is_missing_is_an_error(site: Site) -> None:
    """A guard that somebody has uninstalled or disabled does not just stay away."""
    with pytest.raises(PluginLoadError, match=r"'acme' is in .* and not installed, or disabled"):
        load_registry(disabled=[*site.others(), "acme"], plugins_lock=site.lock)


def test_a_module_of_a_locked_package_may_be_named(site: Site) -> None:
    """Its files are those that were hashed."""
    (site.package / "extra.py").write_text("")
    site.write_lock()

    assert {plugin.name for plugin in site.load("acme_plugin.extra").plugins} == {"acme", "acme_plugin.extra"}


def test_named_modules_are_locked_too(site: Site) -> None:
    """By their own name."""
    (site.folder / "single.py").write_text("")
    site.write_lock("single")
    assert len(site.load("single").plugins) == 2

    (site.folder / "single.py").write_text("LIMIT = 1\n")
    with pytest.raises(PluginLoadError, match=r"single"):
        site.load("single")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml",
        "format = 2\n",
        "format = 1\nplugin = 3\n",
        'format = 1\n[[plugin]]\nname = "acme"\n',
        "format = 1\nmore = 1\n",
    ],
)
def test_a_lock_that_cannot_be_read_allows_nothing(site: Site, text) -> None:
    """An empty, foreign, newer or cut file, and one that is not there any more."""
    site.lock.write_text(text)
    with pytest.raises(ConfigError, match=r"plugins lock"):
        site.load()
    site.lock.unlink()
    with pytest.raises(ConfigError, match=r"cannot be read"):
        site.load()
    assert not site.marker.exists()


@pytest.mark.usefixtures("site")
def test_a_lock_survives_its_text() -> None:
    """parse(format(lock)) is the lock."""
    locked = lock(find_wanted())

    assert parse_lock(format_lock(locked), "here") == locked


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 5_000])
def test_a_lock_that_cannot_be_read_is_named(value: str) -> None:
    """A number of thousands of digits, and lists within lists: as unclear as any other text that is no lock."""
    with pytest.raises(ConfigError, match="here cannot be read as a list of plugins"):
        parse_lock(f"format = {value}", "here")


def test_the_command_locks_and_every_other_command_obeys(site: Site, tmp_path: Path, monkeypatch) -> None:
    """`plugins lock` writes the file beside the configuration, privately; then a changed plugin stops `plugins`."""
    monkeypatch.chdir(tmp_path)
    site.lock.unlink()
    runner = CliRunner()
    made = runner.invoke(root, ["plugins", "lock"], catch_exceptions=False)
    assert "acme" in made.output
    assert site.lock.stat().st_mode & 0o077 == 0
    listed = runner.invoke(root, ["plugins", "--json"], catch_exceptions=False)
    assert "acme" in [plugin["name"] for plugin in json.loads(listed.output)]

    change_a_file(site)
    assert isinstance(runner.invoke(root, ["plugins"]).exception, PluginLoadError)
    assert runner.invoke(root, ["plugins", "lock"]).exit_code == 0
    assert runner.invoke(root, ["plugins"]).exit_code == 0


def make_namespace(site: Site) -> tuple[Path, Path]:
    """Two packages that share a name with no `__init__.py`, as distributions of one maker do: a plugin, and another's."""
    plugin, other = site.folder / "acmeland" / "plugin", site.folder / "acmeland" / "other"
    for folder in (plugin, other):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(PLUGIN.format(marker=str(site.folder / f"{folder.name} was imported")))
    metadata = site.folder / "acmeland-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acmeland\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[jivsbench]\nacmeland = acmeland.plugin\n")
    return plugin, other


def load_both(site: Site, *modules: str):
    """Load the site's plugin and that of the namespace, under the lock."""
    disabled = [name for name in site.others() if name != "acmeland"]
    return load_registry(disabled=disabled, extra_modules=modules, plugins_lock=site.lock)


def lock_both(site: Site) -> None:
    """The lock of both."""
    disabled = [name for name in site.others() if name != "acmeland"]
    site.lock.write_text(format_lock(lock(find_wanted(disabled=disabled))))


def test_a_lock_is_whole_and_its_owners_or_is_not_there(tmp_path: Path) -> None:
    """As every file that is written: under its name only once it is synced; where that cannot be, an error names the folder."""
    path, locked = write_lock(Settings(plugins_lock_path=tmp_path / "plugins.lock"))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"plugins\.lock belongs into .*file, but it cannot be written"):
        write_lock(Settings(plugins_lock_path=tmp_path / "file" / "plugins.lock"))

    assert path.stat().st_mode & 0o777 == 0o600
    assert parse_lock(path.read_text(), "here") == locked
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "plugins.lock"]


def test_what_lies_beside_a_plugin_in_a_namespace_is_not_part_of_it(site: Site) -> None:
    """Another distribution of the same maker may come, change and go."""
    _, other = make_namespace(site)
    lock_both(site)
    (other / "more.py").write_text("")
    (site.folder / "acmeland" / "third").mkdir()

    assert [plugin.name for plugin in load_both(site).plugins] == ["acme", "acmeland"]


def test_a_plugin_in_a_namespace_is_refused_when_it_changed(site: Site) -> None:
    """As every other."""
    plugin, _ = make_namespace(site)
    lock_both(site)
    (plugin / "more.py").write_text("")

    with pytest.raises(PluginLoadError, match=r"'acmeland'.*is not the one in"):
        load_both(site)


def test_another_package_of_a_locked_namespace_is_not_locked_with_it(site: Site) -> None:
    """Anybody can put one into a namespace."""
    make_namespace(site)
    lock_both(site)

    with pytest.raises(PluginLoadError, match=r"'acmeland.other' \(module\) is not in"):
        load_both(site, "acmeland.other")
    assert not (site.folder / "other was imported").exists()


def test_a_single_file_is_locked_by_itself(site: Site) -> None:
    """In the folder of all packages, and in a namespace: what lies beside it is not part of it."""
    namespace = site.folder / "singleland"
    namespace.mkdir()
    (namespace / "one.py").write_text("")
    (site.folder / "single.py").write_text("")
    site.write_lock("single", "singleland.one")
    (namespace / "two.py").write_text("")

    assert len(site.load("single", "singleland.one").plugins) == 3
    with pytest.raises(PluginLoadError, match=r"'singleland.two' \(module\) is not in"):
        site.load("single", "singleland.one", "singleland.two")
    (namespace / "one.py").write_text("LIMIT = 1\n")
    with pytest.raises(PluginLoadError, match=r"'singleland.one' \(module\) is not the one in"):
        site.load("single", "singleland.one")


def test_a_package_in_the_place_of_a_locked_file_is_another(site: Site) -> None:
    """Python takes the package, and the file that was locked stays as it was."""
    (site.folder / "single.py").write_text("")
    site.write_lock("single")
    (site.folder / "single").mkdir()
    (site.folder / "single" / "__init__.py").write_text("")

    with pytest.raises(PluginLoadError, match=r"'single' \(module\) is not the one in"):
        site.load("single")


def test_what_a_link_in_a_plugin_leads_to_is_part_of_it(site: Site) -> None:
    """Python imports from there as well; a circle of links ends."""
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "__init__.py").write_text("")
    (site.package / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(site.package)
    site.write_lock()
    (elsewhere / "__init__.py").write_text("LIMIT = 1\n")

    with pytest.raises(PluginLoadError, match=r"'acme'.*is not the one in"):
        site.load()
    assert not site.marker.exists()


def test_a_namespace_alone_is_no_plugin(site: Site) -> None:
    """It has no file, so nothing could be locked."""
    (site.folder / "emptyland").mkdir()

    with pytest.raises(PluginLoadError, match=r"the files of plugin 'emptyland' \(module\) cannot be found"):
        site.write_lock("emptyland")


def test_a_plugin_within_an_archive_cannot_be_locked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python can import from there; nobody has looked at its files."""
    archive = site.folder / "zipped.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("acmezip/__init__.py", "")
        file.writestr("singlezip.py", "")
    monkeypatch.syspath_prepend(archive)

    for name in ("acmezip", "singlezip"):
        with pytest.raises(PluginLoadError, match=r"cannot be found, so it cannot be locked: install it as files"):
            site.write_lock(name)
