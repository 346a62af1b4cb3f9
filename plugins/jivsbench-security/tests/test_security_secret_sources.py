"""Secrets that are written out are found, and those that are only referred to are not."""

import pytest

from jivsbench_security.credentials.literal_secrets import find_literals, find_named_files

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
    text = 'password_file = "a"\n  POSTGRES_PASSWORD_FILE: /run/b\n    file: ./c\nX_FILE=d\nprofile = "x"\n- T_FILE=${E}\n'

    assert [(one.line, one.path) for one in find_named_files(text)] == [(1, "a"), (2, "/run/b"), (3, "./c"), (4, "d")]
