"""The floor of the masking key."""

import pytest

from jivsbench.errors import ConfigError
from jivsbench.extract.transforms.mask_key import check_mask_key
from jivsbench.model.secret import Secret


def test_a_key_that_can_be_guessed_is_refused_without_an_echo() -> None:
    """Short, or made of words."""
    for text in ("a key of many characters", "3f9c1b7e05d2a864", "changeme" * 8):
        with pytest.raises(ConfigError, match="openssl rand -hex 32") as caught:
            check_mask_key(Secret(text))
        assert text not in str(caught.value)


def test_a_drawn_key_and_none_at_all_pass() -> None:
    """Without a key, digests are refused where they are asked for."""
    check_mask_key(Secret("3f9c1b7e05d2a8643b1ef07c9a5d6e8124c7b0f95ad3e86177aa0b42cd915e0f"))
    check_mask_key(None)
