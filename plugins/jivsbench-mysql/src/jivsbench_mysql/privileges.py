"""What a user may do besides reading, and the statements that take it away. Read from SHOW GRANTS."""

import re
from typing import Final

from jivsbench.model.privilege import ExcessPrivilege
from jivsbench_mysql.wire import Wire

# Names are quoted by the server; behind the user a grant can hold the digest of a password, of which nothing is taken.
_QUOTED: Final = r"(?:`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\")"
_NAME: Final = rf"(?:{_QUOTED}|\*)"
_USER: Final = rf"{_QUOTED}(?:@{_QUOTED})?"
_GRANT: Final = re.compile(
    rf"GRANT (?P<privileges>(?:[A-Za-z ,_()]|{_QUOTED})+?)"
    rf" ON (?P<object>(?:TABLE |FUNCTION |PROCEDURE )?{_NAME}(?:\.{_NAME})?) TO (?P<user>{_USER})"
)
_ANSI_NAME: Final = re.compile(r"`(?:[^`]|``)*`|\"((?:[^\"]|\"\")*)\"")
_OPTION: Final = re.compile(r" WITH GRANT OPTION\b")
_HARMLESS: Final = frozenset({"SELECT", "USAGE", "SHOW VIEW", "SHOW DATABASES"})
_SEPARATOR: Final = re.compile(r", (?![^(]*\))")


def find_excess(wire: Wire, patience_s: float) -> tuple[ExcessPrivilege, ...]:
    """What the session's user may do besides SELECT, in the order of its grants."""
    grants = wire.run("SHOW GRANTS", doing="list the user's grants", patience_s=patience_s)
    return tuple(excess for (text, *_) in grants for excess in read_grant(_to_text(text)))


def read_grant(grant: str) -> tuple[ExcessPrivilege, ...]:
    """What one line of SHOW GRANTS gives too much. A line that cannot be read is told without its text."""
    match = _GRANT.match(grant)
    if match is None:
        # A role that was granted: its own grants come in lines of their own once it is active.
        return () if re.match(rf"GRANT {_USER}(?:, ?{_USER})* TO ", grant) else (_unreadable(),)
    privileges, place, user = (_quote_plainly(match[part]) for part in ("privileges", "object", "user"))
    names = [name.strip() for name in _SEPARATOR.split(privileges)]
    excess = [name for name in names if name.upper().partition(" (")[0] not in _HARMLESS]
    found = []
    if excess and names == ["ALL PRIVILEGES"]:
        found.append(
            ExcessPrivilege(
                f"the user has ALL PRIVILEGES on {place}",
                f"REVOKE ALL PRIVILEGES ON {place} FROM {user}; GRANT SELECT ON {place} TO {user}",
            )
        )
    elif excess:
        listed = ", ".join(excess)
        found.append(ExcessPrivilege(f"the user has {listed} on {place}", f"REVOKE {listed} ON {place} FROM {user}"))
    if _OPTION.search(grant, match.end()):
        found.append(
            ExcessPrivilege(f"the user may pass on what it has on {place}", f"REVOKE GRANT OPTION ON {place} FROM {user}")
        )
    return tuple(found)


def _quote_plainly(names: str) -> str:
    """A session with ANSI_QUOTES is told names in double quotes, which other sessions take for texts."""

    def requote(match: re.Match[str]) -> str:
        return match[0] if match[1] is None else "`" + match[1].replace('""', '"').replace("`", "``") + "`"

    return _ANSI_NAME.sub(requote, names)


def _unreadable() -> ExcessPrivilege:
    return ExcessPrivilege("the user has a grant of a kind that is not known here", "SHOW GRANTS, and revoke all but SELECT")


def _to_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
