"""SEC-021: where secrets come from. None stands in a configuration file, and a file that others can read is not taken.

The files are read as they are on the disk. Whether a secret file is taken is seen from how the installed command ends.
"""

import os
import secrets
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckResult, Severity
from jivsbench_security.credentials.literal_secrets import find_literals, find_named_files
from jivsbench_security.hostile_check import CountedSession, HostileCheck, is_answering

_TIMEOUT_S: Final = 30.0
_AT_A_TIME: Final = 2
_READ: Final = frozenset({0, 4})
"""How the command ends that has followed a trail: it holds, or it is empty."""
_REFUSED: Final = 2
"""How it ends for a mistake of its user's, such as a file that others can read."""
_MOST_BYTES: Final = 1 << 20
_DOCKER_FOLDER: Final = Path("/run/secrets")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SOUND_MODE: Final = 0o600
_MODES: Final = (0o640,)
_MODES_FULL: Final = (0o601, 0o602, 0o604, 0o610, 0o620, 0o640, 0o644, 0o660, 0o666, 0o777)
_VARIABLES_FULL: Final = ("JIVSBENCH_ADMIN_TOKEN", "JIVSBENCH_CREDENTIAL_KEY", "JIVSBENCH_MASKING_KEY")


class SecretSourceCheck(HostileCheck):
    """Reads the configuration that is in force, and gives the command secret files with the modes that they must not have."""

    id = "SEC-021"
    title = "Secrets come from files of their owner's alone, and stand in no configuration"
    severity = Severity.MEDIUM
    cwe = ("CWE-256", "CWE-312", "CWE-522")
    # A compose file as many samples are, and a secret file that everybody can read.
    vulnerable = TargetVariant("vulnerable-sources", installations=("jivsbench.testing.vulnerable.secret_sources:plant",))

    def run(self, context: CheckContext) -> CheckResult:
        """Inspect, and attack."""
        session = _Session(self, context)
        return self._attack(context, session, session.attack)


class _Session(CountedSession):
    """One run against one installation."""

    def __init__(self, check: SecretSourceCheck, context: CheckContext) -> None:
        super().__init__(check)
        self._context = context
        self._folder = context.make_folder()
        self._files = 0

    def describe(self) -> str:
        """One line for the result."""
        found = f"{len(self.findings)} secrets where others can read them"
        return f"{self._files} configuration files read, {self.attempted - self._files} secret files tried, {found}"

    def run_benign(self) -> int:
        """1 when the target works."""
        return int(is_answering(self._context))

    def attack(self) -> None:
        """The files that are in force, then secret files of every mode."""
        for path in self._context.installation.configurations:
            self._inspect(path)
        self._try_modes()

    def _inspect(self, path: Path) -> None:
        self._files += 1
        text = _read_whole(path)
        self.tally.count(is_met=text is not None)
        if text is None:
            return
        for literal in find_literals(text):
            place = f"{path.name}:{literal.line}"
            self.add("a secret stands in a configuration file", f"{place}: {literal.key} is written out", place)
        for named in find_named_files(text):
            file = path.parent / os.path.expanduser(named.path)  # noqa: PTH111 - which stays as it is for a user who is none
            if _is_open_to_others(file):
                place, mode = f"{path.name}:{named.line}", stat.S_IMODE(file.stat().st_mode)
                self.add("others can read a secret file", f"{place}: {named.key} has mode {mode:04o}", place)

    def _try_modes(self) -> None:
        """The same file: taken with mode 0600, and with no other."""
        is_full = self._context.is_full
        variables = _VARIABLES_FULL if is_full else _VARIABLES_FULL[1:2]
        modes = _MODES_FULL if is_full else _MODES
        tries = [(variable, mode) for variable in variables for mode in (_SOUND_MODE, *modes)]
        trail = self._folder / "trail-no-key.jsonl"
        trail.touch()
        with ThreadPoolExecutor(_AT_A_TIME) as callers:
            for (variable, mode), is_taken in zip(tries, callers.map(lambda one: self._is_taken(*one), tries), strict=True):
                self.tally.count(is_met=True)
                if mode == _SOUND_MODE and not is_taken:
                    raise InvalidRunError(f"{variable}_FILE is not taken with mode 0600, so its refusal says nothing")
                if mode != _SOUND_MODE and is_taken:
                    evidence = f"{variable}_FILE with mode {mode:04o}"
                    self.add("a secret file that others can read is taken", evidence, f"jivsbench trail FILE, and {evidence}")

    def _is_taken(self, variable: str, mode: int) -> bool:
        """True when the command takes the file. It follows an empty audit trail: the quickest that needs its secrets."""
        file = self._folder / f"{variable.lower()}-{mode:04o}"
        file.write_text(secrets.token_hex(32))
        file.chmod(mode)
        if stat.S_IMODE(file.stat().st_mode) != mode:
            raise InvalidRunError("the file system does not keep the mode of a file, so no secret file can be shown to it")
        # No configuration of the folder that the check runs in.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JIVSBENCH_")}
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "jivsbench", "trail", "trail-no-key.jsonl"],
                env={**environment, f"{variable}_FILE": str(file)},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InvalidRunError(f"the command did not end within {_TIMEOUT_S:g} s, so it took no secret file") from None
        return read_end(ended.returncode, ended.stderr.decode(errors="replace"), variable)


def read_end(status: int, told: str, variable: str) -> bool:
    """True for a secret file that was taken, False for one that was refused. Raises InvalidRunError for any other end."""
    if status in _READ:
        return True
    if status == _REFUSED and f"{variable}_FILE" in told:
        return False
    raise InvalidRunError(
        f"the command ended with {status} and said nothing of {variable}_FILE, so it neither took nor refused it"
    )


def _read_whole(path: Path) -> str | None:
    """None for a file that cannot be read to its end: nobody knows what is in the rest of it."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError:
        return None
    return content.decode("utf-8", "replace") if len(content) <= _MOST_BYTES else None


def _is_open_to_others(path: Path) -> bool:
    """True for a file that is there and gives others anything; Docker's secrets are protected by the container."""
    try:
        facts = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & _OTHERS) and not path.resolve().is_relative_to(_DOCKER_FOLDER)
