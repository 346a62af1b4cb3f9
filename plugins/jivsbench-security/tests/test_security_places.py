"""The grammar beyond filter values: how much it makes, that it can be repeated, and what the guard says to it."""

import random
from itertools import islice

import pytest

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_security.payloads import TECHNIQUES, Victims, generate_payloads
from jivsbench_security.places import GRAMMARS, Place, generate_for
from jivsbench_sqlguard.guard import SqlGuard


def generate(place: Place, seed: int, count: int | None = None) -> list[str]:
    """Texts of the first payloads, or of all."""
    return [payload.text for payload in islice(generate_for(place, random.Random(seed)), count)]


@pytest.mark.parametrize("place", Place)
def test_each_place_has_a_thousand_distinct_payloads_of_every_technique(place) -> None:
    """None twice; the same seed gives the same order, another one another."""
    payloads = list(generate_for(place, random.Random(1)))
    texts = [payload.text for payload in payloads]

    assert len(texts) == len(set(texts)) >= 1_000
    assert generate(place, 1, 50) == texts[:50] != generate(place, 2, 50)
    if place in GRAMMARS:
        assert {payload.technique for payload in payloads} == set(GRAMMARS[place].techniques)
        assert not [text for text in texts if "{t}" in text]


def test_all_places_together_make_far_more_than_five_thousand() -> None:
    """With those for values, and distinct across places as well."""
    victims = Victims("prey", "canary")
    values = {
        payload.text
        for technique in TECHNIQUES
        for payload in islice(generate_payloads(technique, victims, random.Random(1)), 500)
    }
    others = {text for place in Place for text in generate(place, 1)}

    assert len(values) == 5_000
    assert len(values | others) >= 25_000


def test_no_generated_statement_passes_the_guard() -> None:
    """3,000 hostile statements in other spellings and wrappings."""
    accepted = []
    for payload in islice(generate_for(Place.STATEMENT, random.Random(3)), 3_000):
        request = GuardRequest(ExtractionRequest("shop", query=payload.text), "postgres", None)
        try:
            SqlGuard().review(request)
            accepted.append(payload)
        except GuardRefusedError:
            continue

    assert accepted == []


def test_a_generated_identifier_that_passes_is_a_name_and_nothing_else() -> None:
    """The guard lets only names through that a quoted identifier can hold as they are, and none of the server's own."""
    passed = []
    for text in generate(Place.IDENTIFIER, 5):
        request = GuardRequest(ExtractionRequest("shop", TableName(text)), "postgres", None)
        try:
            SqlGuard().review(request)
            passed.append(text)
        except GuardRefusedError:
            continue

    assert passed
    for text in passed:
        assert 1 <= len(text.encode()) <= 63
        assert text.isprintable()
        assert not text.lower().startswith(("pg_", "sqlite_", "information_schema"))
