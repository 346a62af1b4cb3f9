"""Personal data of people who do not exist, marked so that a piece of it is known wherever it turns up. Pure."""

import base64
import bz2
import hashlib
import lzma
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

_FIRST: Final = ("Mara", "Iona", "Teodor", "Priya", "Joaquin", "Aiko", "Sanna", "Kwame")
_LAST: Final = ("Quandt", "Vestergaard", "Okonjo", "Ferreira", "Lindqvist", "Marchetti", "Tanaka", "Brandauer")
_IBAN_LETTERS: Final = "131400"  # "DE00", with letters as numbers from 10 on
_FIELDS: Final = ("name", "email", "phone", "ssn", "card", "iban")
_BASE64_SHIFTS: Final = 3
_MOST_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 10
_MOST_PLACES: Final = 256
_PARQUET: Final = b"PAR1"
_DIGIT_FIELDS: Final = frozenset({"phone", "ssn", "card", "iban"})


@dataclass(frozen=True, slots=True)
class Person:
    """One row of marked personal data."""

    name: str
    email: str
    phone: str
    ssn: str
    card: str
    iban: str

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Kind and value of each marker."""
        return ((field, getattr(self, field)) for field in _FIELDS)


def build_people(count: int, choice: random.Random) -> tuple[Person, ...]:
    """People with names that no other run has, a card number that passes Luhn's test and an IBAN that passes its own."""
    return tuple(_build_person(choice) for _ in range(count))


def _build_person(choice: random.Random) -> Person:
    def digits(length: int) -> str:
        return "".join(choice.choice("0123456789") for _ in range(length))

    first, last, mark = choice.choice(_FIRST), choice.choice(_LAST), digits(8)
    account = digits(18)
    check = 98 - int(account + _IBAN_LETTERS) % 97
    return Person(
        name=f"{first} {last}-{mark}",
        email=f"{first}.{last}.{mark}@mail.invalid".lower(),
        phone=f"+1-555-{digits(3)}-{digits(4)}",
        # No real number begins with 9.
        ssn=f"9{digits(2)}-{digits(2)}-{digits(4)}",
        card=complete_card(f"4{digits(14)}"),
        iban=f"DE{check:02d}{account}",
    )


def complete_card(digits: str) -> str:
    """A card number: the digits, and the last one that Luhn's test asks for."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number  # noqa: PLR2004 - the digits of a number with two
    return digits + str(-total % 10)


class MarkerSearch:
    """Finds markers in bytes: as they are, encoded, compressed, or as a digest that anybody could make."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self._needles = tuple(
            (needle, f"{kind} ({form})")
            for person in people
            for kind, value in person.pairs()
            for form, needle in encode(kind, value)
        )

    def find(self, content: bytes) -> str | None:
        """What kind of marker is in it, in which form; None when there is none."""
        for text in (content, *unpack(content)):
            lowered = text.lower()
            for needle, what in self._needles:
                if needle in text or needle in lowered:
                    return what
        return None


def encode(kind: str, value: str) -> Iterator[tuple[str, bytes]]:
    """The forms in which a value is not protected at all."""
    plain = value.encode()
    yield "plain", plain
    yield "lower case", plain.lower()
    yield "UTF-16", value.encode("utf-16-le")
    yield "hexadecimal", plain.hex().encode()
    yield "percent-encoded", quote(value, safe="").encode()
    if kind in _DIGIT_FIELDS:
        yield "digits alone", "".join(letter for letter in value if letter.isalnum()).encode()
    for shift in range(_BASE64_SHIFTS):
        # Wherever it begins within a longer text; the edges depend on what is beside it.
        middle = base64.b64encode(b"\0" * shift + plain)[4 if shift else 0 :]
        yield "base64", middle[: len(middle) // 4 * 4 - 4]
    for algorithm in ("md5", "sha1", "sha256"):
        yield f"{algorithm} without a key", hashlib.new(algorithm, plain, usedforsecurity=False).hexdigest().encode()


def unpack(content: bytes) -> Iterator[bytes]:
    """What comes out when the content, or any part that begins like it, is decompressed; and the rows of a Parquet file."""
    for start, decompress in _COMPRESSIONS:
        place, tried = content.find(start), 0
        while place >= 0 and tried < _MOST_PLACES:
            with suppress(OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                yield decompress(content[place:])
            place, tried = content.find(start, place + 1), tried + 1
    if content.startswith(_PARQUET):
        with suppress(OSError, pa.ArrowException):
            yield str(pq.read_table(pa.BufferReader(content)).to_pydict()).encode()


def _inflate(part: bytes) -> bytes:
    # 32: a header of gzip or of zlib, whichever it is.
    return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(part, _MOST_BYTES)


def _stream(codec: str) -> Callable[[bytes], bytes]:
    """What Arrow decompresses, as far as it comes: behind the end of a frame there may be anything."""

    def decompress(part: bytes) -> bytes:
        whole = bytearray()
        with suppress(OSError), pa.CompressedInputStream(pa.BufferReader(part), codec) as stream:
            while len(whole) < _MOST_BYTES and (more := stream.read(_CHUNK_BYTES)):
                whole += more
        return bytes(whole)

    return decompress


_COMPRESSIONS: Final[tuple[tuple[bytes, Callable[[bytes], bytes]], ...]] = (
    (b"\x1f\x8b", _inflate),
    (b"\x78", _inflate),
    (b"BZh", lambda part: bz2.BZ2Decompressor().decompress(part, _MOST_BYTES)),
    (b"\xfd7zXZ\0", lambda part: lzma.LZMADecompressor().decompress(part, _MOST_BYTES)),
    (b"\x28\xb5\x2f\xfd", _stream("zstd")),
    (b"\x04\x22\x4d\x18", _stream("lz4")),
)
"""How each begins, wherever it lies; Arrow compresses every column of a batch by itself."""
