"""What targets of their own are made of: another version of jivsbench, or other plugins.

A plugin may replace a part of the host, so whatever one target alone loads is never imported by the process that judges.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from jivsbench.errors import EnvironmentProblem
from jivsbench.model.record import ArmRuntime

_ANSWER_LIMIT_S: Final = 60.0
_ASK: Final = """
import contextlib, dataclasses, json, platform, sys
from pathlib import Path
import jivsbench
from jivsbench.plugins import load_registry
lock = {"plugins_lock": Path(sys.argv[3])} if sys.argv[3] else {}
with contextlib.redirect_stdout(sys.stderr):
    plugins = load_registry(extra_modules=sys.argv[1].split(), disabled=sys.argv[2].split(), **lock).plugins
print(json.dumps({
    "jivsbench_version": jivsbench.__version__,
    "python_version": platform.python_version(),
    "plugins": [dataclasses.asdict(plugin) for plugin in plugins],
}))
"""


def find_python(environment: Path) -> Path:
    """The interpreter of an environment (its folder, or the interpreter itself). Raises EnvironmentProblem."""
    for path in (environment / "bin" / "python", environment):
        if path.is_file():
            # Not resolved: a link to the system's interpreter is what makes it this environment's.
            return path.absolute()
    raise EnvironmentProblem(
        f"{environment} was named as an environment, but it has no bin/python: name the folder of a virtual environment "
        "in which jivsbench is installed"
    )


def ask_environment(
    python: Path | None, plugins: tuple[str, ...], disabled: tuple[str, ...], plugins_lock: Path | None = None
) -> ArmRuntime:
    """What is installed there, or with None what a child of this environment would load.

    Raises EnvironmentProblem when jivsbench cannot be used there, or the lock forbids it.
    """
    # As a target's own process is started: this environment's sees the current folder and PYTHONPATH, another one does not.
    interpreter = [sys.executable] if python is None else [str(python), "-I"]
    argv = [*interpreter, "-c", _ASK, " ".join(plugins), " ".join(disabled), str(plugins_lock or "")]
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that the user named
            argv, capture_output=True, text=True, timeout=_ANSWER_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise EnvironmentProblem(f"{interpreter[0]} was asked for its version of jivsbench and did not answer: {exc}") from exc
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        if python is None:
            raise EnvironmentProblem(f"a child was to load the plugins of one target, {' '.join(plugins)}, and failed: {said}")
        raise EnvironmentProblem(
            f"{python} was asked for its version of jivsbench and failed ({said}): "
            "install jivsbench and the plugins of the comparison there"
        )
    try:
        found = TypeAdapter(ArmRuntime).validate_json(done.stdout)
    except ValidationError as exc:
        raise EnvironmentProblem(
            f"{interpreter[0]} has a jivsbench that describes itself in another way: compare versions that are nearer to "
            "each other"
        ) from exc
    return replace(found, is_own_environment=python is not None)
