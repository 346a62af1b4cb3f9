"""URLs that libraries read differently, and what is shown of a URL whose password was not percent-encoded."""

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jivsbench.config.urls import check_url
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret, format_url_without_secret
from jivsbench.model.url import parse_url

_UNREADABLE = "(a URL that cannot be read)"
_ODD = st.text("/?#@:[]%\\12az&=", max_size=8)


@given(
    start=_ODD, end=_ODD, form=st.sampled_from(["postgresql://ann:{}@db/shop", "redis://:{}@cache:6379/0", "x+y://ann:{}@h?a=b"])
)
@example(start="12/", end="", form="sqlalchemy+postgresql://ann:{}@db/shop")
@example(start="/", end="", form="postgresql://ann:{}@db/shop")
@example(start="9/", end="", form="redis://:{}@cache:6379/0")
@example(start="1?", end="", form="mysql://ann:{}@db/shop")
@example(start="1#", end="", form="mysql://ann:{}@db/shop")
@example(start="p@h/", end="", form="postgresql://ann:{}@db/shop")
def test_no_piece_of_a_bare_password_is_shown(start, end, form) -> None:
    """Whatever it begins and ends with: without percent signs it can look like a host, a port, a path or a query."""
    url = form.format(f"{start}s3cret{end}")

    assert "s3cret" not in format_url_without_secret(Secret(url))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20))
def test_an_encoded_password_may_hold_anything(password) -> None:
    """The URL is read, and shown without it."""
    url = f"postgresql://ann:{quote(password, safe='')}@db:5432/shop?sslmode=require"

    assert check_url(url, "the test") == Secret(url)
    assert format_url_without_secret(Secret(url)) == "postgresql://ann@db:5432/shop"


@pytest.mark.parametrize(
    "url",
    [
        *("postgresql://ann:12/ssw0rd@db/shop", "postgresql://ann:/Zm9vYmFy@db/shop", "redis://:9/secretpart@cache:6379/0"),
        *("mysql://ann:1?x@db/shop", "mysql://ann:1#x@db/shop", "x://h/d?a=b@c", "postgresql:///x@db/shop", "sqlite://h/a@b"),
        *("x://h:port/d", "x://[broken", "x://ann:%00@h"),
    ],
)
def test_a_url_that_is_read_differently_is_refused_and_not_shown(url) -> None:
    """Where it is configured already; one from elsewhere is shown as a URL that cannot be read."""
    with pytest.raises(ConfigError, match="the test: it") as caught:
        check_url(url, "the test")

    assert format_url_without_secret(Secret(url)) == _UNREADABLE
    assert not any(part in str(caught.value) for part in ("ssw0rd", "Zm9v", "secretpart"))


@pytest.mark.parametrize("url", ["hunter2", "a_b://h", "x://h\t/d", "x://127.0.0.\n1", "\x01x://h", "sqlite:////a\ud800"])
def test_what_one_library_leaves_out_and_another_does_not_is_no_url(url) -> None:
    """Tabs and line ends, and whatever has no scheme."""
    with pytest.raises(ValueError, match="no scheme"):
        parse_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "postgresql://a%40b:p%40@db/shop",
            "postgresql:///shop?host=%40abstract",
            "rest+https://:t@api.test/v1?records=%40graph",
        ),
        *("sqlite:////home/ann@corp/a.db", "files:///home/ann@corp", "sqlalchemy+sqlite:////a@b.db", "memory://?max_entries=1"),
        *("mysql://u@[::1]:3306/d", "postgresql://two@signs@db/shop"),
    ],
)
def test_an_at_sign_may_stand_before_a_host_encoded_or_in_the_path_of_a_file(url) -> None:
    """Files have no server, so nothing is taken for one."""
    assert check_url(url, "the test") == Secret(url)
