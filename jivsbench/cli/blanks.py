"""Words of a command line that say nothing, as `--source-url "$URL"` with a variable that is not set."""

from collections.abc import Sequence
from typing import Final

from jivsbench.errors import UsageError

_OPTION: Final = "--"


def refuse_blanks(words: Sequence[str]) -> None:
    """Raises UsageError naming the option or argument that is blank: taken as left out, it would choose something else."""
    for place, word in enumerate(words):
        name, separator, text = word.partition("=") if word.startswith(_OPTION) else ("", "", word)
        if (separator or not name) and not text.strip():
            before = words[place - 1] if place else ""
            # What is no name of an option may be a secret.
            subject = name or (before if before.startswith(_OPTION) and "=" not in before else f"argument {place + 1}")
            raise UsageError(f"{subject} is empty, as by a variable that is not set: give it a value, or leave it out")
