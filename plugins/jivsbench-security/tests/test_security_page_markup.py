import pytest

from jivsbench_security.pages.page_markup import find_missing, list_active, list_differences, read_markup

POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'


def build_page(text: str, policy: str = POLICY) -> str:
    """A page with a text in its title, an attribute and a paragraph, escaped or not."""
    return f'<!doctype html><html><head>{policy}<title>{text}</title></head><body><p class="{text}">{text}</p></body></html>'


@pytest.mark.parametrize("text", ["&lt;script&gt;alert(1)&lt;/script&gt;", "x", "&quot; onload=x"])
def test_a_page_with_escaped_texts_is_like_its_twin(text: str) -> None:
    """The same tags, nothing that acts."""
    found = read_markup(build_page(text))

    assert list(list_differences(found, read_markup(build_page("harmless")))) == []
    assert list(list_active(found)) == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "</title><img src=x>",
        "<a href=javascript:alert(1)>x</a>",
        "</p><!-- x",
        "<meta http-equiv=refresh content=0>",
        "<svg onload=alert(1)>",
        "<iframe srcdoc=x>",
    ],
)
def test_markup_in_a_text_changes_the_structure(text: str) -> None:
    """Wherever it stands: in a title, in an attribute, in a paragraph."""
    assert list(list_differences(read_markup(build_page(text)), read_markup(build_page("harmless"))))


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<script>", "<script>"),
        ("<p onclick=x>", "<p onclick>"),
        ("<a href=//x.test>", "<a href=//x.test>"),
        ("<base href=x>", "<base>"),
        ("", "no Content-Security-Policy"),
        (POLICY.replace("default-src 'none'", "script-src *"), "lets scripts run"),
    ],
)
def test_what_could_act_is_told(page: str, told: str) -> None:
    """Elements, handlers, addresses, and a policy that is missing or weak."""
    assert any(told in active for active in list_active(read_markup(page)))


def test_a_text_that_is_not_shown_is_missing() -> None:
    """Signs that have no shape may be shown as numbers; the rest has to be there."""
    assert find_missing(["<b>bold</b>", "a\x00b<i>"], "it says <b>bold</b> and a[U+0000]b<i>") == []
    assert find_missing(["<b>bold</b>"], "it says bold") == ["<b>bold</b>"]
