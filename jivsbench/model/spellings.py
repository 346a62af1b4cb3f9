"""The plain spellings of values: texts that say nothing which their value does not say. `007` is none: its zeros would be lost.

Whatever makes a value of a text without having been told its type by the source goes by them: files, and casts of text columns.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

PLAIN_BOOL: Final = "true|false|True|False|TRUE|FALSE"
PLAIN_INTEGER: Final = "-?(?:0|[1-9][0-9]{0,18})"
"""With as many digits as an int64 may have; whether the number is one, its reader sees."""
PLAIN_DECIMAL: Final = r"-?(?:0|[1-9][0-9]{0,37})(?:\.[0-9]{1,38})?"


def match_spelling(texts: pa.Array, pattern: str) -> pa.Array:
    """Of each text, whether all of it is spelt so; NULL for NULL."""
    return pc.match_substring_regex(texts, rf"\A(?:{pattern})\z")
