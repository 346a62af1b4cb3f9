import base64
import time
from urllib.parse import quote

import pytest

from jivsbench_security.leaks.canaries import Canary, draw_canary, find_leaks, watch_secret

CANARY = Canary("a password", "aB3d~eF6h~iJ9l~&mN2p~qR5t~uV8x")


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CANARY.text.encode(), "plain"),
        (b"x" * 500 + CANARY.text[7:13].encode(), "plain"),
        (quote(CANARY.text, safe="").encode(), "plain"),
        (b"user=" + quote(CANARY.text, safe="")[14:22].encode(), "percent-encoded"),
        (b"Basic " + base64.b64encode(b"ann:" + CANARY.text.encode()), "base64"),
        (b"Basic " + base64.b64encode(b"a:" + CANARY.text.encode()), "base64"),
        (b"Basic " + base64.urlsafe_b64encode(CANARY.text.encode()), "base64"),
        (CANARY.text.encode().hex().encode(), "hex"),
        (CANARY.text.encode().hex().upper().encode(), "hex"),
    ],
)
def test_a_piece_of_six_is_found_in_every_encoding(content: bytes, encoding: str) -> None:
    """Wherever in a longer text it begins."""
    found = find_leaks(content, [CANARY])

    assert encoding in {leak.encoding for leak in found}
    assert {leak.owner for leak in found} == {"a password"}


def test_a_piece_of_five_is_no_leak_and_neither_are_other_secrets() -> None:
    """Nothing is met by chance."""
    other = draw_canary("another")
    content = (CANARY.text[:5] + " " + other.text).encode() + base64.b64encode(other.text.encode())

    assert find_leaks(content, [CANARY]) == ()
    assert find_leaks(b"", [CANARY, other]) == ()


def test_secrets_without_marks_are_looked_for_in_longer_pieces() -> None:
    """Passwords that others drew: eight characters are a leak, seven are not; one that is short is not looked for."""
    password = Canary("drawn by others", "Zx9_kQ2mWe7-Lp4v")

    assert [leak.encoding for leak in find_leaks(b"..kQ2mWe7-..", [password])] == ["plain"]
    assert find_leaks(b"..kQ2mWe7..", [password]) == ()
    assert not Canary("short", "secret").is_unique


def test_a_text_that_is_looked_for_whole_is_found_whole() -> None:
    """Host and port: no piece of them counts."""
    place = Canary("host and port", "127.0.0.1:5432", 14)

    assert find_leaks(b"127.0.0.1:543", [place]) == ()
    assert find_leaks(b"at 127.0.0.1:5432!", [place])[0].encoding == "plain"


def test_every_canary_is_new_and_holds_a_mark_in_every_piece() -> None:
    """So that no piece of it can be met in base64 or hex of something else."""
    texts = {draw_canary("x").text for _ in range(50)}

    assert len(texts) == 50
    assert all("~" in text[start : start + 6] for text in texts for start in range(len(text) - 5))
    assert "~" not in repr(draw_canary("x"))


@pytest.mark.parametrize("place", range(len(CANARY.text) - 5))
def test_a_secret_in_small_letters_is_found_wherever_it_is_cut(place: int) -> None:
    """As a name of a host is written: no matter which of its letters were small before."""
    assert find_leaks(CANARY.text.lower()[place : place + 6].encode(), [CANARY])


@pytest.mark.parametrize("text", ["postgres-password", "changeme-changeme", "correct horse battery", "jivsbench-reader"])
def test_a_password_that_is_made_of_words_is_looked_for_whole(text: str) -> None:
    """Its pieces are in every report; itself is in none."""
    canary = watch_secret("the password of the source", text)

    assert find_leaks(b"jivsbench postgres password changeme correct horse reader", [canary]) == ()
    assert find_leaks(b"with " + text.encode(), [canary])
    assert find_leaks(base64.b64encode(b"ann:" + text.encode() + b"@db"), [canary])


@pytest.mark.parametrize("text", ["3f9c1b7e05d2a8643b1ef07c", "Zx9_kQ2mWe7-Lp4v"])
def test_a_piece_of_a_drawn_password_is_a_leak(text: str) -> None:
    """Eight characters of it are enough."""
    assert find_leaks(b"..." + text[4:12].encode(), [watch_secret("a password", text)])


def test_a_secret_among_much_else_is_found_in_time() -> None:
    """What is said again and again is looked at once."""
    filler = b"".join(b"<td class=cell-%d>harmless-value-%d</td>" % (n % 50, n % 50) for n in range(60_000))
    keys = [Canary(f"key {n}", base64.urlsafe_b64encode(bytes(range(n, n + 32))).decode()) for n in range(5)]
    started_s = time.monotonic()

    assert find_leaks(filler, keys) == ()
    assert {leak.owner for leak in find_leaks(filler + b"x=" + keys[3].text[5:15].encode(), keys)} >= {"key 3"}
    assert time.monotonic() - started_s < 10
