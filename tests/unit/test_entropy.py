"""How hard a secret is to guess."""

import base64
import random

import pytest

from jivsbench.model.entropy import estimate_entropy_bits
from jivsbench.service.auth import MIN_TOKEN_BITS

WEAK = [
    *("changeme", "password", "secret", "admin", "token", "default", "jivsbench", "letmein", "postgres", "redis", "example"),
    *("change-this-in-production", "your-secret-key-here", "please-change-me", "insecure-dev-token", "my-super-secret-token"),
    *(
        "admin:admin",
        "root:toor",
        "token-of-admin-0123456789",
        "0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz",
        "1234567890123456",
    ),
    *(
        "correct horse battery staple",
        "correcthorsebatterystaple",
        "Passw0rd!Passw0rd!",
        "qwertyuiopasdfghjkl",
        "test-token-test-token",
    ),
    *(
        "00000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffff",
        "deadbeefdeadbeefdeadbeefdeadbeef",
        "xxxxxxxxxxxxxxxx",
    ),
]


@pytest.mark.parametrize(
    "text", [f"{before}{text}{after}" for text in WEAK for before, after in (("", ""), ("my-", "-2024"), ("", "123456"))]
)
def test_defaults_and_patterns_stay_under_the_floor(text) -> None:
    """Each known default, plain and with the usual trimmings, is refused as a token."""
    assert estimate_entropy_bits(text) < MIN_TOKEN_BITS


@pytest.mark.parametrize(
    ("write", "size_bytes", "may_refuse"),
    [
        (lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), 16, 2),
        (bytes.hex, 16, 0),
        (lambda raw: base64.urlsafe_b64encode(raw).decode(), 24, 0),
    ],
)
def test_random_tokens_pass(write, size_bytes, may_refuse) -> None:
    """Of 2,000 tokens of 128 bits at most two look like words; of longer ones none does."""
    source = random.Random(7)
    drawn = [write(source.randbytes(size_bytes)) for _ in range(2_000)]

    assert sum(estimate_entropy_bits(text) < MIN_TOKEN_BITS for text in drawn) <= may_refuse


def test_nothing_is_nothing() -> None:
    """An empty text has no bits."""
    assert estimate_entropy_bits("") == 0.0


@pytest.mark.parametrize(
    "phrase", ["super-secret-jwt-token-with-at-least-32-characters-long", "this-is-a-very-long-secret-key-for-development-only"]
)
def test_a_phrase_of_short_words_is_no_token(phrase: str) -> None:
    """The first is the published default of a well-known product."""
    assert estimate_entropy_bits(phrase) < 70
