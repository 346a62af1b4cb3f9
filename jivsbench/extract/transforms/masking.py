"""Masks over whole columns: keyed digests, asterisks, the last characters."""

import hmac
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import UsageError
from jivsbench.model.secret import Secret
from jivsbench.model.transform import Mask, Masking

REDACTED = "***"
LEAST_KEY_CHARACTERS = 16


def build_mask(mask: Mask, arrow_type: pa.DataType, key: Secret | None) -> Callable[[pa.Array], pa.Array]:
    """The change of one column. Raises UsageError for a type that cannot be masked so, or a digest without a key."""
    change = _build(mask, key)
    try:
        change(pa.nulls(1, arrow_type))
    except pa.ArrowException as problem:
        raise UsageError(
            f"column {mask.column!r} is of type {arrow_type}, which cannot be masked by {mask.how.value!r}: redact it, or drop it"
        ) from problem
    return change


def _build(mask: Mask, key: Secret | None) -> Callable[[pa.Array], pa.Array]:
    match mask.how:
        case Masking.REDACT:
            return lambda values: pc.if_else(pc.is_valid(values), REDACTED, pa.scalar(None, pa.string()))
        case Masking.LAST:
            if mask.keep < 1:
                raise UsageError(
                    f"the mask of column {mask.column!r} keeps {mask.keep} characters: keep one or more, or redact it"
                )
            return lambda values: _keep_last(_to_text(values), mask.keep)
        case Masking.DIGEST:
            if key is None or len(key.reveal()) < LEAST_KEY_CHARACTERS:
                raise UsageError(
                    f"the mask of column {mask.column!r} is a digest, which needs a key of {LEAST_KEY_CHARACTERS} characters or "
                    "more: set [masking] key_file, or the environment variable JIVSBENCH_MASKING_KEY"
                )
            secret = key.reveal().encode()
            return lambda values: _digest(_to_text(values), secret)


def _to_text(values: pa.Array) -> pa.Array:
    # Bytes need not be UTF-8, and a digest takes them as they are.
    return values if pa.types.is_binary(values.type) else pc.cast(values, pa.string())


def _digest(values: pa.Array, key: bytes) -> pa.Array:
    """Each distinct value is computed once: e-mail addresses and names repeat."""
    encoded = pc.cast(values, pa.binary()).dictionary_encode()
    digests = [hmac.digest(key, value, "sha256").hex() for value in encoded.dictionary.to_pylist()]
    return pa.array(digests, pa.string()).take(encoded.indices)


def _keep_last(texts: pa.Array, keep: int) -> pa.Array:
    lengths = pc.utf8_length(texts)
    is_long = pc.greater(lengths, keep)
    hidden = pc.binary_repeat("*", pc.if_else(is_long, pc.subtract(lengths, keep), lengths))
    return pc.binary_join_element_wise(hidden, pc.if_else(is_long, pc.utf8_slice_codeunits(texts, -keep), ""), "")
