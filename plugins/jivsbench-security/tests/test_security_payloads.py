import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench_security.payloads import TECHNIQUES, Victims, generate_payloads
from jivsbench_security.sql.attack import FULL_PAYLOADS, group_attacks, plan_attacks, plan_full_attacks
from jivsbench_security.sql.injection_tables import BENIGN, build_rows
from jivsbench_security.sql.like import matches_like
from jivsbench_security.sql.value_contexts import ValueContext, expect

VICTIMS = Victims("prey", "canary")


def test_the_same_seed_plans_the_same_attacks():
    """A run can be repeated from its seed; another seed gives other payloads."""
    assert plan_attacks(VICTIMS, random.Random(1)) == plan_attacks(VICTIMS, random.Random(1))
    assert plan_attacks(VICTIMS, random.Random(1)) != plan_attacks(VICTIMS, random.Random(2))


def test_the_fast_plan_tries_every_technique_in_every_place():
    """100 attacks, two for each pair."""
    attacks = plan_attacks(VICTIMS, random.Random(0))

    pairs = [(attack.payload.technique, attack.context) for attack in attacks]
    assert len(attacks) == 100
    assert {pairs.count(pair) for pair in itertools.product(TECHNIQUES, ValueContext)} == {2}


def test_attacks_are_grouped_by_place_and_none_is_lost():
    """Ten together go to one place, in the order of the plan."""
    attacks = plan_attacks(VICTIMS, random.Random(0))

    groups = list(group_attacks(attacks, 10))
    assert all(len(group) == 10 and len({attack.context for attack in group}) == 1 for group in groups)
    assert sorted(attacks, key=id) == sorted((attack for group in groups for attack in group), key=id)


def test_the_full_plan_has_five_thousand_distinct_payloads():
    """Each goes to a text filter and to one other place; every technique meets every place."""
    attacks = plan_full_attacks(VICTIMS, random.Random(0))

    assert len({attack.payload.text for attack in attacks}) == FULL_PAYLOADS >= 5_000
    assert len(attacks) == 2 * FULL_PAYLOADS
    assert {(a.payload.technique, a.context) for a in attacks} == set(itertools.product(TECHNIQUES, ValueContext))


def test_no_payload_is_a_number_a_date_or_the_harmless_value():
    """Else a refusal, or a row, could not be told from a hole."""
    for technique in TECHNIQUES:
        for payload in itertools.islice(generate_payloads(technique, VICTIMS, random.Random(3)), 300):
            assert payload.text != BENIGN
            assert not payload.text.strip().replace("_", "").lstrip("+-").isdigit()


def test_payloads_fill_in_the_names_of_the_tables():
    """No brace of the grammar is left over."""
    texts = [p.text for p in itertools.islice(generate_payloads("stacked", VICTIMS, random.Random(0)), 20)]

    assert any("canary" in text for text in texts)
    assert not any("{canary}" in text or "{sleep}" in text for text in texts)


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [
        ("abc", "a%", True),
        ("abc", "%%c", True),
        ("abc", "a_c", True),
        ("abc", "ABC", False),
        ("a%c", "a\\%c", True),
        ("abc", "a\\%c", False),
        ("a\\c", "a\\\\c", True),
        ("a\nc", "a%c", True),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("abc", "abc\\", False),
        ("", "%", True),
    ],
)
def test_like_works_as_on_a_server(text, pattern, matches):
    """Wildcards, escapes, and letters that mean something to regular expressions only."""
    assert matches_like(text, pattern, "postgres") is matches


def test_a_backslash_is_a_letter_to_sqlite():
    """There LIKE has no escape character unless the query names one."""
    assert matches_like("a\\bc", "a\\%", "sqlite")
    assert not matches_like("a%c", "a\\%c", "sqlite")


@given(st.text(alphabet="ab%_\\'", max_size=8), st.text(alphabet="ab%_\\'", max_size=6))
def test_a_prefix_with_its_wildcards_escaped_finds_every_text_that_starts_with_it(text, rest):
    """escape(text) + % matches text + rest."""
    escaped = "".join("\\" + letter if letter in "%_\\" else letter for letter in text)

    assert matches_like(text + rest, escaped + "%", "postgres")


def test_a_payload_that_is_somebodys_data_must_be_found():
    """The oracle finds the row that holds the payload, and the harmless row besides it for IN."""
    rows = build_rows(["' OR 1=1 --"])

    found = {context: expect(context, "' OR 1=1 --", rows, "postgres") for context in ValueContext}
    assert found[ValueContext.TEXT].ids == (41,)
    assert found[ValueContext.IN].ids == (7, 41)
    assert found[ValueContext.NUMBER].may_refuse
    assert not found[ValueContext.TEXT].may_refuse
