"""The floor of the masking key: whoever guesses it finds out which value each digest stands for."""

from typing import Final

from jivsbench.errors import ConfigError
from jivsbench.model.entropy import estimate_entropy_bits
from jivsbench.model.secret import Secret

LEAST_KEY_BITS: Final = 128
"""By the estimate 48 random hex digits have 184 and fall below once in some 20,000 draws, 64 of them not in 20,000."""


def check_mask_key(key: Secret | None) -> None:
    """Raises ConfigError for a key that can be guessed; none at all is no key, and digests are then refused."""
    if key is not None and estimate_entropy_bits(key.reveal()) < LEAST_KEY_BITS:
        raise ConfigError(
            f"the masking key can be guessed: it is short, or made of known words, repetitions or rows of numbers, so it has "
            f"less than {LEAST_KEY_BITS} bits; draw it at random, such as with `openssl rand -hex 32`"
        )
