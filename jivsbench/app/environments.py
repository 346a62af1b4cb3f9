"""Other Python environments in which another version of jivsbench, or other plugins, are installed."""

import subprocess
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from jivsbench.errors import EnvironmentProblem
from jivsbench.model.record import ArmRuntime

_ANSWER_LIMIT_S: Final = 60.0
_ASK: Final = """
import dataclasses, json, platform, sys
from pathlib import Path
import jivsbench
from jivsbench.plugins import load_registry
lock = {"plugins_lock": Path(sys.argv[3])} if sys.argv[3] else {}
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
    python: Path, plugins: tuple[str, ...], disabled: tuple[str, ...], plugins_lock: Path | None = None
) -> ArmRuntime:
    """What is installed there. Raises EnvironmentProblem when jivsbench cannot be used there, or the lock forbids it."""
    argv = [str(python), "-I", "-c", _ASK, " ".join(plugins), " ".join(disabled), str(plugins_lock or "")]
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that the user named
            argv, capture_output=True, text=True, timeout=_ANSWER_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise EnvironmentProblem(f"{python} was asked for its version of jivsbench and did not answer: {exc}") from exc
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise EnvironmentProblem(
            f"{python} was asked for its version of jivsbench and failed ({said[-1] if said else 'without a word'}): "
            "install jivsbench and the plugins of the comparison there"
        )
    try:
        return TypeAdapter(ArmRuntime).validate_json(done.stdout)
    except ValidationError as exc:
        raise EnvironmentProblem(
            f"{python} has a jivsbench that describes itself in another way: compare versions that are nearer to each other"
        ) from exc
