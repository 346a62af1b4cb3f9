"""Secrets that everybody knows: defaults of programs and samples, lines of .env files, and what a hurried hand types.

Each is a text of our own writing or a default that its makers published. None of them may start a service.
"""

import base64
from collections.abc import Iterator
from typing import Final

_KEY_BYTES: Final = 32
_LONG_TOKEN: Final = 32

WORDS: Final = (
    *("changeme", "change-me", "change_this", "changeit", "changethis", "CHANGE_ME_IN_PRODUCTION", "replace-me", "replaceme"),
    *("password", "Password1", "P@ssw0rd", "passw0rd", "password123", "Passw0rd!", "secret", "s3cr3t", "supersecret"),
    *("super-secret", "topsecret", "my-secret-key", "secretkey", "secret-key-123", "your-secret-key", "your-secret-key-here"),
    *("insert-your-secret-here", "please-change-me", "this-is-a-secret", "thisisasecret", "notasecret", "not-a-secret"),
    *("admin", "administrator", "admin123", "admin-token", "root", "toor", "letmein", "welcome1", "qwertyuiop", "qwerty123"),
    *("123456", "12345678", "1234567890", "iloveyou", "monkey", "dragon", "trustno1", "correcthorsebatterystaple"),
    *("default", "default-secret", "example", "example-key", "sample", "sample-token", "test", "test-token", "testtesttest"),
    *("demo", "demo-token", "dev", "dev-secret", "development-secret", "local-dev-token", "staging-secret", "production-secret"),
    *("token", "bearer-token", "api-key", "apikey", "api_key_here", "access-token", "private-key", "encryption-key"),
    *("postgres", "postgresql", "mysql", "redis", "guest", "user", "jivsbench", "jivsbench-secret", "jivsbench-admin-token"),
    *("dummy", "foobar", "foo", "todo", "placeholder", "unsafe", "insecure", "insecure-key", "temporary-secret", "hunter2"),
    *("opensesame", "master", "masterkey", "sunshine", "princess", "football", "superman", "access", "backup", "service"),
)
SAMPLES: Final = (
    "your_secret_key_here_change_in_production",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "django-insecure-change-me-please-in-production",
    "this-is-a-very-long-secret-key-for-development-only",
    "please-change-this-secret-before-you-deploy",
    "SECRET_KEY=changeme-changeme-changeme-changeme",
    "00000000-0000-0000-0000-000000000000",
    "correct horse battery staple",
    "administrator-administrator-token",
    "abcdefghijklmnopqrstuvwxyz",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "0123456789abcdef0123456789abcdef",
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "qwertyuiopasdfghjklzxcvbnm",
    "12345678901234567890123456789012",
    "deadbeefdeadbeefdeadbeefdeadbeef",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)


def list_tokens() -> Iterator[str]:
    """For a token: each word as it is and as long as a token must be, and the samples."""
    for word in WORDS:
        yield word
        yield _stretch(word, _LONG_TOKEN)
    yield from SAMPLES
    yield " "


def list_keys() -> Iterator[str]:
    """For the credential key: the right size, and not drawn at random. Words are stretched, and encoded as a key must be."""
    for raw in _list_raw_keys():
        yield base64.urlsafe_b64encode(raw).decode()
        yield raw.hex()
    yield from SAMPLES
    yield from WORDS


def _list_raw_keys() -> Iterator[bytes]:
    yield bytes(_KEY_BYTES)
    yield b"\xff" * _KEY_BYTES
    yield bytes(range(_KEY_BYTES))
    yield bytes(range(_KEY_BYTES, 0, -1))
    yield bytes(range(0, 4 * _KEY_BYTES, 4))
    yield bytes.fromhex("deadbeef") * (_KEY_BYTES // 4)
    yield b"\0" * (_KEY_BYTES - 1) + b"\1"
    for word in WORDS:
        yield _stretch(word, _KEY_BYTES).encode()
        yield word.encode().ljust(_KEY_BYTES, b"\0")[:_KEY_BYTES]


def _stretch(word: str, size: int) -> str:
    return (word * (size // len(word) + 1))[:size]
