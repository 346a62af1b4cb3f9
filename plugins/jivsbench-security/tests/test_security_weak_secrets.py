"""Every secret of the list is refused by what a service starts with, without a start."""

import random

import pytest

from jivsbench.errors import ConfigError, CredentialError
from jivsbench.extract.credentials import parse_credential_key
from jivsbench.extract.transforms.mask_key import check_mask_key
from jivsbench.model.secret import Secret
from jivsbench.service.auth import Authority, Role
from jivsbench_security.credentials.weak_secrets import SAMPLES, WORDS, list_keys, list_tokens
from jivsbench_security.credentials.weak_start import choose_starts


def test_no_known_secret_starts_a_service() -> None:
    """More than 200 tokens, as many masking keys, and more credential keys."""
    tokens, keys = list(list_tokens()), list(list_keys())
    assert min(len(set(tokens)), len(set(keys))) >= 200

    for text in tokens:
        with pytest.raises(ConfigError):
            Authority([(text, Role.ADMIN)])
        with pytest.raises(ConfigError):
            check_mask_key(Secret(text))
    for text in keys:
        with pytest.raises(CredentialError):
            parse_credential_key(Secret(text))


def test_a_drawn_secret_passes() -> None:
    """48 hex digits of 24 random bytes, as the messages advise."""
    drawn = "3f9c1b7e05d2a8643b1ef07c9a5d6e8124c7b0f95ad3e861"

    Authority([(drawn, Role.ADMIN)])
    check_mask_key(Secret(drawn))


def test_starts_are_repeatable_and_of_every_kind() -> None:
    """One of each without a number; no label shows a secret that is not known to all."""
    first, again = choose_starts(random.Random(7), None), choose_starts(random.Random(7), None)

    assert [start.label for start in first] == [start.label for start in again]
    assert {start.label.partition("=")[0].partition(" ")[0] for start in first} == {
        "JIVSBENCH_ADMIN_TOKEN",
        "JIVSBENCH_CREDENTIAL_KEY",
        "JIVSBENCH_MASKING_KEY",
    }
    assert len(choose_starts(random.Random(7), 200)) == 200
    assert len(set(WORDS)) == len(WORDS)
    assert len(SAMPLES) >= 15
