"""Settings: every mistake a user can make in a file is shown with file, line and key, and no secret with it."""

import re
from pathlib import Path

import pytest

from jivsbench.config import Overrides, find_config, find_profile, load_settings, starter_config
from jivsbench.config.profiles import PROFILE_KEYS
from jivsbench.config.settings import SECTION_KEYS
from jivsbench.errors import ConfigError, UnknownNameError
from jivsbench.model.profile import LEGACY, OPTIMIZED, PROFILES
from jivsbench.model.secret import Secret
from jivsbench.model.source import TypePolicy
from jivsbench.service.requests import NAME_PATTERN


@pytest.fixture
def write(tmp_path: Path):
    """Write a configuration file; returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "jivsbench.toml"
        path.write_text(text)
        return path

    return write


def write_secret(folder: Path, name: str, text: str, mode: int = 0o600) -> None:
    """Write a file with exactly that mode."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)


def test_no_file_and_no_environment_give_the_defaults() -> None:
    """Everything has a default, so that `jivsbench demo` needs no file."""
    settings = load_settings(None, {}, Overrides())

    assert (settings.source, settings.cache_url, settings.metadata_url) == (None, None, None)
    assert (settings.reports_dir, settings.plugins, settings.disabled_plugins) == (Path("reports"), (), ())
    assert settings.profiles == PROFILES


def test_every_key_of_a_source_is_read(write) -> None:
    """A full [source] becomes a DataSource; the URL stays secret."""
    path = write(
        '[source]\nname = "shop"\nurl = "postgresql://ann:pw@db/shop"\nconnector = "pg"\n'
        'type_policy = "text"\ntables = ["a", "s.b"]\n'
        '[cache]\nurl = "redis://c"\n[metadata]\nurl = "sqlite:///jobs.db"\n[reports]\ndir = "out"\n'
        '[plugins]\nmodules = ["acme.one"]\ndisable = ["sqlite"]\n'
    )

    settings = load_settings(path, {})

    assert settings.source is not None
    assert (settings.source.name, settings.source.connector, settings.source.type_policy) == ("shop", "pg", TypePolicy.TEXT)
    assert (settings.source.tables, settings.source.url.reveal()) == (("a", "s.b"), "postgresql://ann:pw@db/shop")
    assert (settings.cache_url, settings.metadata_url) == (Secret("redis://c"), Secret("sqlite:///jobs.db"))
    assert settings.reports_dir == path.parent / "out"
    assert (settings.plugins, settings.disabled_plugins) == (("acme.one",), ("sqlite",))
    assert "pw" not in repr(settings)


def test_flags_override_the_environment_which_overrides_the_file(write) -> None:
    """Lists of plugins are joined instead: nothing that was disabled comes back."""
    path = write('[source]\nname = "shop"\nurl = "x://file"\n[reports]\ndir = "file"\n[plugins]\ndisable = ["a"]\n')
    env = {
        "JIVSBENCH_SOURCE_URL": "x://env",
        "JIVSBENCH_CACHE_URL": "c://env",
        "JIVSBENCH_METADATA_URL": "m://env",
        "JIVSBENCH_REPORTS_DIR": "env",
        "JIVSBENCH_DISABLE_PLUGINS": " b, ,a ",
    }

    from_env = load_settings(path, env)
    from_flags = load_settings(path, env, Overrides(source_url=Secret("x://flag"), reports_dir=Path("flag"), plugins=("p",)))

    assert from_env.source is not None
    assert from_flags.source is not None
    assert (from_env.source.name, from_env.source.url.reveal(), from_env.reports_dir) == ("shop", "x://env", Path("env"))
    assert (from_env.cache_url, from_env.metadata_url) == (Secret("c://env"), Secret("m://env"))
    assert from_env.disabled_plugins == ("a", "b")
    assert (from_flags.source.url.reveal(), from_flags.reports_dir, from_flags.plugins) == ("x://flag", Path("flag"), ("p",))


@pytest.mark.parametrize(("url", "connector"), [("x://env", "mine"), ("y://env", "")])
def test_a_replaced_url_keeps_the_connector_only_with_its_scheme(write, url: str, connector: str) -> None:
    """The connector that a file names was chosen for the URL of the file."""
    path = write('[source]\nurl = "x://file"\nconnector = "mine"\n')

    source = load_settings(path, {"JIVSBENCH_SOURCE_URL": url}).source

    assert source is not None
    assert source.connector == connector


def test_an_empty_environment_variable_says_nothing() -> None:
    """`JIVSBENCH_SOURCE_URL=` is how a shell unsets it for one command."""
    assert load_settings(None, {"JIVSBENCH_SOURCE_URL": "", "JIVSBENCH_REPORTS_DIR": ""}).source is None


def test_the_memory_cache_needs_nothing_behind_its_scheme() -> None:
    """`memory://` is whole as it stands."""
    url = load_settings(None, {"JIVSBENCH_CACHE_URL": "memory://"}).cache_url

    assert url is not None
    assert url.reveal() == "memory://"


def test_a_name_is_as_long_as_requests_and_the_job_store_take_it(write) -> None:
    """What a configuration calls a source can be asked for, and stored."""
    longest = "a" * 63

    assert re.fullmatch(NAME_PATTERN, longest)
    assert not re.fullmatch(NAME_PATTERN, longest + "a")
    source = load_settings(write(f'[source]\nname = "{longest}"\nurl = "x://h"\n'), {}).source
    assert source is not None
    assert source.name == longest
    with pytest.raises(ConfigError, match="up to 63"):
        load_settings(write(f'[source]\nname = "{longest}a"\nurl = "x://h"\n'), {})


@pytest.mark.parametrize("name", ["JIVSBENCH_SOURCE_URL", "JIVSBENCH_CACHE_URL", "JIVSBENCH_METADATA_URL"])
def test_a_bad_url_in_the_environment_names_the_variable(name: str) -> None:
    """The variable is named, its content is not."""
    with pytest.raises(ConfigError, match=f"{name}: it is no URL") as caught:
        load_settings(None, {name: "s3cret"})

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("[source\n", 1, "this is not TOML: expected ']'"),
        ('[reports]\ndir = "a"\ndir = "b"\n', 3, "this is not TOML: cannot overwrite a value"),
        ("[sources]\n", 1, "sources: no section or key is called 'sources': did you mean 'source'?"),
        ('# c\n\n[source]\nurl = "x://h"\nconector = "pg"\n', 5, "source.conector: no key of [source] is called 'conector'"),
        ("[source]\nurl = 5\n", 2, "source.url: it must be text, and it is a whole number"),
        ("source = 5\n", 1, "source: it must be a table, and it is a whole number"),
        ("[source]\n", 1, "source: it has no 'url'"),
        ("\n[cache]\n", 2, "cache: it has no 'url'"),
        ("[reports]\ndir = 1979-05-27\n", 2, "reports.dir: it must be text, and it is a date or time"),
        ('[reports]\ndir = " "\n', 2, "reports.dir: it is empty"),
        ('[source]\nurl = "x://h"\ntables = []\n', 3, "source.tables: it allows no table"),
        ('[source]\nurl = "x://h"\ntables = [\n  "a",\n  5,\n]\n', 3, "source.tables: entry 2 must be text"),
        ('[source]\nurl = "x://h"\ntype_policy = "txt"\n', 3, "source.type_policy: no type policy is called 'txt'"),
        ('[source]\nurl = "x://h"\nname = "a/b"\n', 3, "source.name: a name has up to 63"),
        ('[source]\nurl = "s3cret"\n', 2, "source.url: it is no URL"),
        ('[source]\nurl = "x://ann:s3cret/w@h:1/d"\n', 2, "source.url: its host or port cannot be read"),
        ('[source]\nurl = "x://ann:12/s3cret@h:1/d"\n', 2, "source.url: its host or port cannot be read, or an @ stands behind"),
        ('[source]\nurl = "x://ann:s3cret%00@h"\n', 2, "source.url: it holds a NUL character"),
        ('[source]\nurl = "x://ann:s3 cret@h"\n', 2, "source.url: it holds a blank"),
        ('[source]\nurl = "x://"\n', 2, "source.url: it ends after its scheme"),
        ('[source]\nurl = "x://ann:${SHOP-PW}@h"\n', 2, "source.url: a reference is written ${NAME}"),
        ('[source]\nurl = "x://ann:${UNSET}@h"\n', 2, "the environment variable UNSET, which is not set"),
        ('[source]\nurl = "x://ann:${EMPTY}@h"\n', 2, "the environment variable EMPTY, which is empty"),
        ('[source]\nurl = "x://h"\nurl_file = "f"\n', 3, "source.url_file: there is a 'url' as well"),
        ('[source]\npassword_file = "f"\n', 2, "source.password_file: there is no 'url'"),
        ('[source]\nurl_file = "missing"\n', 2, "source.url_file: the secret file"),
        ("[profiles.legacy]\n", 1, "profiles.legacy: the profile 'legacy' is built in"),
        ('[profiles."a b"]\n', 1, "profiles.a b: a name has up to 63"),
        ('[profiles.a]\nbase = "optimised"\n', 2, "profiles.a.base: no profile is called 'optimised': did you mean 'optimized'?"),
        ('[profiles.a]\nbase = "b"\n[profiles.b]\n', 2, "profiles.a.base: no profile is called 'b'"),
        (
            "[profiles.a.switches]\nstream = 2\n",
            2,
            "profiles.a.switches.stream: no key of [profiles.a.switches] is called 'stream'",
        ),
        (
            "[profiles.a]\nswitches.streams = true\n",
            2,
            "profiles.a.switches.streams: it must be a whole number, and it is true or false",
        ),
        ("[profiles.a]\nswitches.pool = 1\n", 2, "profiles.a.switches.pool: it must be true or false, and it is a whole number"),
        ("[profiles.a.switches]\nstreams = 0\n", 2, "profiles.a.switches.streams: it must be 1 or more"),
        ("[profiles.a]\nquery_timeout_s = nan\n", 2, "profiles.a.query_timeout_s: it must be a finite number above 0"),
        ("[profiles.a]\nquery_timeout_s = '5s'\n", 2, "profiles.a.query_timeout_s: it must be a number, and it is text"),
        ("[profiles.a.pool]\nmax_size = 1\n", 2, "profiles.a.pool.max_size: min_idle is above max_size"),
        ("[profiles.a.pool]\nmin_idle = 11\n", 2, "profiles.a.pool.min_idle: min_idle is above max_size"),
        ("[profiles.a.pool]\nmax_size = 81\n", 2, "profiles.a.pool.max_size: max_size is above total_max"),
        ("[profiles.a]\nquery_timeout_s = 1e308\n", 2, "profiles.a.query_timeout_s: it must be 31,622,400 or less"),
        ("[profiles.a.pool]\nborrow_timeout_s = 1e10\n", 2, "profiles.a.pool.borrow_timeout_s: it must be 31,622,400 or less"),
        (f"[profiles.a]\nqueue_limit = {2**63}\n", 2, "profiles.a.queue_limit: it must be 9,223,372,036,854,775,807 or less"),
        (f"[reports]\ndir = 1\n[profiles.a]\nbatch_rows = {'9' * 5_000}\n", 4, "a number has thousands of digits"),
        ("[reports]\ndir = [\n\n" + "[" * 5_000, 4, "it is nested too deeply"),
        ("[profiles.a]\nbatch_rows = 10.5\n", 2, "profiles.a.batch_rows: it must be a whole number, and it is a number"),
    ],
)
def test_a_mistake_in_the_file_is_shown_with_line_and_key(write, text: str, line: int, problem: str) -> None:
    """File, line, key, what was found and what to do, without a value."""
    path = write(text)

    with pytest.raises(ConfigError) as caught:
        load_settings(path, {"EMPTY": ""})

    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert problem in str(caught.value)
    assert "s3" not in str(caught.value).replace(str(path), "")


def test_the_line_of_a_mistake_is_found_in_a_file_with_a_long_number(write) -> None:
    """The file is read line by line again: a line that ends within the number is no other mistake."""
    path = write(f"[profiles.a]\nqueue_limit = {'9' * 4_000}\n")

    with pytest.raises(ConfigError, match=r"toml:2: profiles\.a\.queue_limit: it must be .* or less"):
        load_settings(path, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(ConfigError, match=r"absent\.toml: the file cannot be read \(No such file or directory\)"):
        load_settings(tmp_path / "absent.toml", {})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """The byte that breaks it is named."""
    path = tmp_path / "jivsbench.toml"
    path.write_bytes(b"# \xff\n")

    with pytest.raises(ConfigError, match=r"the file is not UTF-8 text \(byte 2\)"):
        load_settings(path, {})


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "jivsbench.toml"
    path.write_bytes(b'\xef\xbb\xbf[reports]\ndir = "out"\n')

    assert load_settings(path, {}).reports_dir == tmp_path / "out"


def test_a_reference_in_the_password_may_hold_any_character(write) -> None:
    """What stands before the host is quoted; what stands after it is taken as it is."""
    path = write('[source]\nurl = "postgresql://ann:${PW}@${HOST}/shop?sslmode=${MODE}"\n')

    source = load_settings(path, {"PW": "p@ss:w/rd?", "HOST": "[::1]:5433", "MODE": "require"}).source

    assert source is not None
    assert source.url.reveal() == "postgresql://ann:p%40ss%3Aw%2Frd%3F@[::1]:5433/shop?sslmode=require"


def test_a_reference_can_be_the_whole_url(write) -> None:
    """Then it is a URL already, and nothing of it is quoted."""
    path = write('[source]\nurl = "${SHOP_URL}"\n')

    source = load_settings(path, {"SHOP_URL": "x://ann:p%40@h/d"}).source

    assert source is not None
    assert source.url.reveal() == "x://ann:p%40@h/d"


def test_an_overridden_url_leaves_its_references_alone(write) -> None:
    """Nobody has to set the variables of a URL that is not used."""
    path = write('[source]\nurl = "x://ann:${UNSET}@h"\n[cache]\nurl = "c://${UNSET}"\n')

    settings = load_settings(path, {"JIVSBENCH_SOURCE_URL": "x://env", "JIVSBENCH_CACHE_URL": "c://env"})

    assert settings.cache_url == Secret("c://env")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('url_file = "u"', "x://ann:from%20file@h/d"),
        ('url = "x://ann@h:1/d?a=b%40c"\npassword_file = "p"', "x://ann:p%40ss%20w@h:1/d?a=b%40c"),
        ('url = "redis://h/0"\npassword_file = "p"', "redis://:p%40ss%20w@h/0"),
    ],
)
def test_secrets_come_from_files(tmp_path: Path, write, keys: str, expected: str) -> None:
    """A whole URL, or the password alone, which is quoted; the line's end is not a part of it."""
    write_secret(tmp_path, "u", "x://ann:from%20file@h/d\n")
    write_secret(tmp_path, "p", "p@ss w\r\n")

    settings = load_settings(write(f"[cache]\n{keys}\n"), {})

    assert settings.cache_url == Secret(expected)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path, write, mode: int) -> None:
    """The message says which file, which mode, and the command that repairs it."""
    write_secret(tmp_path, "p", "s3cret", mode)

    with pytest.raises(ConfigError) as caught:
        load_settings(write('[cache]\nurl = "redis://h"\npassword_file = "p"\n'), {})

    assert f"(mode 0{mode:o}): chmod 600 {tmp_path / 'p'}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n", "two\nlines\n", "x" * 70_000])
def test_a_secret_file_of_another_shape_is_refused(tmp_path: Path, write, content: str) -> None:
    """An empty file or one of several lines is not the secret that was meant."""
    write_secret(tmp_path, "p", content)

    with pytest.raises(ConfigError, match="must hold one line of UTF-8 text"):
        load_settings(write('[cache]\nurl = "redis://h"\npassword_file = "p"\n'), {})


def test_two_passwords_are_refused(tmp_path: Path, write) -> None:
    """One in the URL and one in a file: neither is preferred in silence."""
    write_secret(tmp_path, "p", "other")

    with pytest.raises(ConfigError, match="the URL holds a password already") as caught:
        load_settings(write('[cache]\nurl = "redis://a:s3cret@h"\npassword_file = "p"\n'), {})

    assert "s3cret" not in str(caught.value)


def test_a_profile_changes_its_base_one_by_one(write) -> None:
    """What is not named stays as in the base; a profile may build on one further up."""
    path = write(
        '[profiles.narrow]\nguards = []\ncache = "memory"\njob_workers = 2\nquery_timeout_s = 5\n'
        "[profiles.narrow.switches]\nstreams = 1\n[profiles.narrow.pool]\nmin_idle = 0\n"
        '[profiles.narrower]\nbase = "narrow"\ncache_times.schema_s = 1.5\n'
    )

    settings = load_settings(path, {})
    narrow, narrower = find_profile(settings, "narrow"), find_profile(settings, "narrower")

    assert [profile.name for profile in settings.profiles] == ["legacy", "optimized", "narrow", "narrower"]
    assert (narrow.guards, narrow.cache, narrow.job_workers, narrow.query_timeout_s) == ((), "memory", 2, 5.0)
    assert (narrow.switches.streams, narrow.switches.pool, narrow.pool.min_idle, narrow.pool.max_size) == (1, True, 0, 10)
    assert (narrower.guards, narrower.cache_times.schema_s, narrower.switches.streams) == ((), 1.5, 1)


def test_the_metadata_pool_follows_its_switch(write) -> None:
    """The switch alone turns the numbers that it stands for; numbers that are given win."""
    path = write(
        "[profiles.off]\nswitches.metadata_pool = false\n"
        '[profiles.on]\nbase = "legacy"\nswitches.metadata_pool = true\n'
        "[profiles.given]\nswitches.metadata_pool = false\nmetadata.size = 7\n"
    )

    settings = load_settings(path, {})

    assert find_profile(settings, "off").metadata == LEGACY.metadata
    assert find_profile(settings, "on").metadata == OPTIMIZED.metadata
    assert (find_profile(settings, "given").metadata.size, find_profile(settings, "given").metadata.timeout_s) == (7, 30.0)


def test_an_unknown_profile_names_the_nearest() -> None:
    """The two built-in profiles are always known."""
    with pytest.raises(UnknownNameError, match="no profile is called 'legcy': did you mean 'legacy'"):
        find_profile(load_settings(None, {}), "legcy")


def test_the_starter_file_is_accepted_as_it_stands(write) -> None:
    """`jivsbench init` never writes a file that the next command refuses."""
    settings = load_settings(write(starter_config()), {})

    assert (settings.source, settings.profiles) == (None, PROFILES)


def test_the_starter_file_is_accepted_with_every_comment_removed(write) -> None:
    """Each commented key is real: uncommenting all of them gives a valid file that uses every key but the secret files."""
    lines = [line.removeprefix("# ") for line in starter_config().splitlines()]
    keys = [line for line in lines if line.startswith("[") or " = " in line]
    path = write("\n".join(line for line in keys if line.partition(" = ")[0].replace("_", "").isalpha() or line[0] == "["))

    settings = load_settings(path, {"SHOP_PASSWORD": "a", "JOBS_PASSWORD": "b"})

    assert settings.source is not None
    assert find_profile(settings, "two-streams").switches.streams == 2


@pytest.mark.parametrize("text", [starter_config(), Path("docs/configuration.md")], ids=["starter", "docs"])
def test_every_key_is_documented(text: str | Path) -> None:
    """No key can be added without a word in the starter file and in docs/configuration.md."""
    root = Path(__file__).parents[2]
    content = (root / text).read_text() if isinstance(text, Path) else text
    known = {key for keys in SECTION_KEYS.values() for key in keys} | set(PROFILE_KEYS)

    assert [key for key in sorted(known) if key not in content] == []


def test_the_file_of_a_folder_is_found(tmp_path: Path, write) -> None:
    """Without a flag, the file of the current folder is used when it is there."""
    assert find_config(tmp_path) is None
    assert find_config(write("").parent) == tmp_path / "jivsbench.toml"
