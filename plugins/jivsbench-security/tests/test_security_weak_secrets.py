"""Every secret of the list is refused by what a service starts with, without a start."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from jivsbench.api import CheckContext, TargetChanges
from jivsbench.errors import ConfigError, CredentialError, EnvironmentProblem, InvalidRunError, JivsbenchError
from jivsbench.extract.credentials import parse_credential_key
from jivsbench.extract.transforms.mask_key import check_mask_key
from jivsbench.model.secret import Secret
from jivsbench.service.auth import Authority, Role
from jivsbench_security.credentials.weak_secrets import SAMPLES, WORDS, list_keys, list_tokens
from jivsbench_security.credentials.weak_start import WeakSecretCheck, choose_starts, join_starts


def test_no_known_secret_starts_a_service() -> None:
    """More than 200 tokens, as many masking keys, and more credential keys."""
    tokens, keys = list(list_tokens()), list(list_keys())
    assert min(len(set(tokens)), len(set(keys))) >= 200

    for text in tokens:
        with pytest.raises(ConfigError):
            Authority([(text, Role.ADMIN)])
        with pytest.raises(ConfigError):
            check_mask_key(Secret(text))
    for text in keys:
        with pytest.raises(CredentialError):
            parse_credential_key(Secret(text))


def test_a_drawn_secret_passes() -> None:
    """48 hex digits of 24 random bytes, as the messages advise."""
    drawn = "3f9c1b7e05d2a8643b1ef07c9a5d6e8124c7b0f95ad3e861"

    Authority([(drawn, Role.ADMIN)])
    check_mask_key(Secret(drawn))


def test_starts_are_repeatable_and_of_every_kind() -> None:
    """One of each without a number; no label shows a secret that is not known to all."""
    first, again = choose_starts(random.Random(7), None), choose_starts(random.Random(7), None)

    assert [start.label for start in first] == [start.label for start in again]
    assert {start.label.partition("=")[0].partition(" ")[0] for start in first} == {
        "JIVSBENCH_ADMIN_TOKEN",
        "JIVSBENCH_CREDENTIAL_KEY",
        "JIVSBENCH_MASKING_KEY",
    }
    assert len(choose_starts(random.Random(7), 200)) == 200
    assert len(set(WORDS)) == len(WORDS)
    assert len(SAMPLES) >= 15


def build_context(refuse: Callable[[TargetChanges], None]) -> CheckContext:
    """A target whose like starts, or not."""

    @contextmanager
    def launch(changes: TargetChanges) -> Iterator[None]:
        refuse(changes)
        yield

    target = SimpleNamespace(call=lambda *_: SimpleNamespace(status=200))
    return cast("CheckContext", SimpleNamespace(launch=launch, target=target, is_full=False, seed=7, pid=os.getpid()))


@pytest.mark.parametrize(
    "problem",
    [ConfigError("the port is no number"), EnvironmentProblem("it did not start"), CredentialError("the store is closed")],
)
def test_a_start_that_fails_for_another_reason_refuses_no_secret(problem: JivsbenchError) -> None:
    """A port, a database, a slow machine."""

    def refuse(_changes: TargetChanges) -> None:
        raise problem

    with pytest.raises(InvalidRunError, match="3 of 3"):
        WeakSecretCheck().run(build_context(refuse))


def test_a_target_that_takes_every_bad_secret_is_started_once_for_two() -> None:
    """Which says as much as a start with each."""
    started: list[TargetChanges] = []
    result = WeakSecretCheck().run(build_context(started.append))

    assert len(result.findings) == result.attempted == result.reached == 3
    assert len(started) == 2
    for name in ("admin_token", "credential_key", "mask_key"):
        assert any(getattr(changes, name) for changes in started)


def test_one_kind_of_bad_secret_that_is_taken_is_found() -> None:
    """A start with two kinds is refused for the other."""

    def refuse(changes: TargetChanges) -> None:
        for secret, problem in (
            (changes.admin_token, ConfigError("a token of role ADMIN can be guessed")),
            (changes.credential_key, CredentialError("the credential key was not drawn at random")),
        ):
            if secret is not None:
                raise problem

    result = WeakSecretCheck().run(build_context(refuse))

    assert [finding.evidence.partition("=")[0] for finding in result.findings] == [
        "it accepts requests with JIVSBENCH_MASKING_KEY"
    ]
    assert (result.attempted, result.reached) == (3, 3)


def test_starts_are_joined_by_their_kinds() -> None:
    """Nothing of the three is lost."""
    starts = choose_starts(random.Random(7), None)
    joined = join_starts(starts)

    assert all(start.label in joined.label for start in starts)
    assert {joined.changes.admin_token, joined.changes.credential_key, joined.changes.mask_key} == {
        next(one for one in (s.changes.admin_token, s.changes.credential_key, s.changes.mask_key) if one) for s in starts
    }
