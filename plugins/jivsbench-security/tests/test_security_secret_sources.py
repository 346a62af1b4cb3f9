"""Secrets that are written out are found, and those that are only referred to are not."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from jivsbench.errors import InvalidRunError
from jivsbench_security.credentials.literal_secrets import find_literals, find_named_files
from jivsbench_security.credentials.secret_sources import SecretSourceCheck, read_end

WRITTEN_OUT = (
    "      POSTGRES_PASSWORD: s3cr3t",
    "      - POSTGRES_PASSWORD=s3cr3t",
    '    environment: {POSTGRES_USER: "a", POSTGRES_PASSWORD: "s3cr3t"}',
    '      POSTGRES_PASSWORD: "${DB_PASSWORD:-s3cr3t}"',
    "    command: redis-server --requirepass s3cr3t",
    '    command: ["redis-server", "--requirepass", "s3cr3t"]',
    "JIVSBENCH_ADMIN_TOKEN=s3cr3t",
    'export API_KEY="s3cr3t"',
    "JIVSBENCH_CREDENTIAL_KEY=s3cr3t",
    'url = "postgresql://ann:s3cr3t@db:5432/shop"',
    'url = "redis://:s3cr3t@cache:6379/0"',
    "JIVSBENCH_SOURCE_URL=postgresql://ann:s3cr3t@db/shop",
    "  SECRET_KEY_BASE_token: 's3cr3t'",
)
REFERRED_TO = (
    "# POSTGRES_PASSWORD: s3cr3t",
    "      POSTGRES_PASSWORD: ${DB_PASSWORD}",
    '      POSTGRES_PASSWORD: "${DB_PASSWORD:?set it}"',
    "      POSTGRES_PASSWORD_FILE: /run/secrets/db_password",
    "      - POSTGRES_PASSWORD_FILE=/run/secrets/db_password",
    "JIVSBENCH_ADMIN_TOKEN_FILE=/run/secrets/token",
    "JIVSBENCH_ADMIN_TOKEN=",
    "      MYSQL_ALLOW_EMPTY_PASSWORD: 'no'",
    'url = "postgresql://ann:${PW}@db:5432/shop"',
    'url = "postgresql://reader@db:5432/shop"',
    'password_keyring = "service/user"',
    'key_file = "credential.key"',
    "secrets:",
    "  db_password:",
    "    secrets: [db_password]",
    'key = "id"',
    'image: "registry:5000/postgres@sha256:abc"',
)


@pytest.mark.parametrize("line", WRITTEN_OUT)
def test_a_secret_that_is_written_out_is_found(line: str) -> None:
    """With its line, and without itself."""
    (found,) = find_literals(f"first\n{line}\n")

    assert found.line == 2
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize("line", REFERRED_TO)
def test_a_secret_that_is_elsewhere_is_none(line: str) -> None:
    """References, files, the keyring, comments."""
    assert find_literals(line) == ()


def test_files_of_secrets_are_found() -> None:
    """In TOML, in compose and in .env files."""
    text = 'password_file = "a"\n  POSTGRES_PASSWORD_FILE: /run/b\nsecrets:\n  pw:\n    file: ./c\nTOKEN_FILE=d\nprofile = "x"\n'
    text += "- TOKEN_FILE=${E}\n"

    assert [(one.line, one.path) for one in find_named_files(text)] == [(1, "a"), (2, "/run/b"), (5, "./c"), (6, "d")]


def test_other_files_may_be_read_by_everybody() -> None:
    """A certificate, a log, a feed, a configuration that a compose file mounts."""
    text = 'ca_file = "a"\nlog_file: b\npid_file=c\nenv_file: d\nfile = "users.csv"\nconfigs:\n  nginx:\n    file: ./nginx.conf\n'

    assert find_named_files(text) == ()


def test_a_command_that_ends_otherwise_has_refused_no_secret_file() -> None:
    """It crashed, or had another reason; who refuses a file says which."""
    assert read_end(0, "", "JIVSBENCH_ADMIN_TOKEN")
    assert read_end(4, "", "JIVSBENCH_ADMIN_TOKEN")
    assert not read_end(2, "error: JIVSBENCH_ADMIN_TOKEN_FILE: others can read it", "JIVSBENCH_ADMIN_TOKEN")
    for status, told in ((1, "Traceback"), (-9, ""), (2, "error: no such command"), (5, "JIVSBENCH_ADMIN_TOKEN_FILE")):
        with pytest.raises(InvalidRunError, match="neither took nor refused"):
            read_end(status, told, "JIVSBENCH_ADMIN_TOKEN")


def test_a_configuration_that_cannot_be_read_to_its_end_is_no_pass(tmp_path: Path) -> None:
    """What is in the rest of it nobody knows; what a command does that does not end neither."""
    large = tmp_path / "compose.yaml"
    large.write_text("# x\n" * (1 << 19))
    target = SimpleNamespace(call=lambda *_: SimpleNamespace(status=200))
    context = SimpleNamespace(
        make_folder=lambda: tmp_path,
        target=target,
        is_full=False,
        seed=1,
        pid=os.getpid(),
        installation=SimpleNamespace(configurations=(large, tmp_path / "missing.yaml")),
    )

    with pytest.raises(InvalidRunError, match="2 of 4"):
        SecretSourceCheck().run(context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jivsbench_security.credentials.secret_sources._TIMEOUT_S", 0.01)
        with pytest.raises(InvalidRunError, match="did not end"):
            SecretSourceCheck().run(context)


def test_a_file_of_a_user_who_is_none_ends_nothing(tmp_path: Path) -> None:
    """The line is read on."""
    config = tmp_path / "jivsbench.toml"
    config.write_text('key_file = "~nobody-at-all/key"\npassword_file = "open"\n')
    (tmp_path / "open").touch()
    (tmp_path / "open").chmod(0o644)
    target = SimpleNamespace(call=lambda *_: SimpleNamespace(status=200))
    installation = SimpleNamespace(configurations=(config,))
    (tmp_path / "own").mkdir()
    own = tmp_path / "own"
    context = SimpleNamespace(
        make_folder=lambda: own, target=target, is_full=False, seed=1, pid=os.getpid(), installation=installation
    )
    result = SecretSourceCheck().run(context)

    assert [finding.evidence for finding in result.findings] == ["jivsbench.toml:2: password_file has mode 0644"]
