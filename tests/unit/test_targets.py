"""Targets that do not come up as they should: an error of the environment, which no check takes for a hole."""

import socket

import pytest

from jivsbench.app.targets import _ask_guards
from jivsbench.errors import EnvironmentProblem
from jivsbench.service.launcher import RunningService


def test_a_service_that_is_gone_before_it_is_asked_is_a_problem_of_the_environment():
    """It ended, or this machine is too busy: said with the class of what happened, and without the token."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(EnvironmentProblem, match=r"did not answer \(MaxRetryError\)") as raised:
        _ask_guards(RunningService(f"http://127.0.0.1:{port}", 0, "a-token", None))
    assert "a-token" not in str(raised.value)
