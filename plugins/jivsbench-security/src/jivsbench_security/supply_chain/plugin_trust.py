"""SEC-030: plugins that nobody allowed. With a lock, none of their code may run, and a broken one must be named."""

import contextlib
import functools
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from jivsbench.api import PROJECT, CheckContext, TargetChanges, TargetVariant
from jivsbench.errors import (
    CacheUnreachableError,
    DuplicateNameError,
    EmbeddedServerError,
    EnvironmentProblem,
    InvalidRunError,
    JivsbenchError,
    PluginLoadError,
    PortInUseError,
    SourceUnreachableError,
)
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported, is_answering
from jivsbench_security.supply_chain.planted_plugins import (
    BLOCKS_IN_HOOK,
    EXITS_AT_IMPORT,
    RAISES_AT_IMPORT,
    RAISES_IN_HOOK,
    Plugin,
    Trap,
    join_paths,
    keep_plugins,
    lock_plugins,
    write_evil,
)

_OF_THE_MACHINE: Final = (SourceUnreachableError, CacheUnreachableError, EmbeddedServerError, PortInUseError, InvalidRunError)
_TOO_SLOW: Final = "did not accept requests within"
"""What a launcher says of a target that neither started nor ended."""
_BEHAVES: Final = "zz_acme"
"""The last by its name, so that a refusal that names it says that the lock is right about all others."""
_VARIABLE: Final = "JIVSBENCH_CHECK_CANARY"
_BROKEN: Final = (
    ("raises_at_import", RAISES_AT_IMPORT),
    ("exits_at_import", EXITS_AT_IMPORT),
    ("raises_in_hook", RAISES_IN_HOOK),
    ("blocks_in_hook", BLOCKS_IN_HOOK),
)


@dataclass(frozen=True, slots=True)
class _Attack:
    """Plugins in a folder on the target's path, the plugins that the lock knows besides the host's, and how it must end."""

    name: str
    plugins: tuple[Plugin, ...]
    locked: tuple[str, ...]
    refusals: tuple[type[JivsbenchError], ...] = (PluginLoadError,)
    is_fast: bool = False
    named: str | None = None
    """The plugin that the refusal must name; None for the planted one, empty for any."""


class _Session(CountedSession):
    """One run against one target. `locked` is a lock of all plugins, those of the attacks among them."""

    most_findings = 20
    """Each attack starts a target, and is told."""

    def __init__(self, check: Reported, context: CheckContext, folder: Path, listener: socket.socket, locked: str = "") -> None:
        super().__init__(check)
        self._context = context
        self._folder = folder
        self._locked = locked
        self._listener = listener
        self.trap = Trap(folder / "ran", listener.getsockname()[1], _VARIABLE)
        """What shows that a plugin's code has run."""

    def describe(self) -> str:
        """One line for the result."""
        wrong = len(self.findings)
        return f"{self.attempted} starts of a target with a plugin that nobody allowed, or a broken one, {wrong} judged wrongly"

    def run_benign(self) -> int:
        """Whether the running target answers; before, in the full form, also whether one starts with a plugin that is locked."""
        if self.attempted or not self._context.is_full:
            return int(is_answering(self._context))
        try:
            with self._launch(_Attack("behaves", (Plugin(_BEHAVES),), (_BEHAVES,))) as other:
                return int(is_answering(other))
        except PluginLoadError as refusal:
            raise InvalidRunError(f"a target with all its plugins locked was refused: {refusal}") from None

    def attack(self, attack: _Attack) -> None:
        """It must be refused, for the right reason, and before any of its code runs."""
        try:
            with self._launch(attack):
                self.tally.count(is_met=True)
                self._tell(attack, f"the target started all the same{self._tell_trap()}")
                return
        except JivsbenchError as problem:
            refusal = problem
        trapped = self._tell_trap()
        named = attack.plugins[0].name if attack.named is None else attack.named
        is_told = isinstance(refusal, attack.refusals) and named in str(refusal)
        is_met = bool(trapped) or is_told or not says_nothing(refusal)
        self.tally.count(is_met=is_met, is_refused=is_told and not trapped)
        if trapped:
            self._tell(attack, f"the target was refused, but{trapped}")
        elif is_met and not is_told:
            self._tell(attack, f"the target ended with {type(refusal).__name__}, which does not name {named!r}")

    @contextlib.contextmanager
    def _launch(self, attack: _Attack) -> Iterator[CheckContext]:
        site = self._folder / attack.name
        for plugin in attack.plugins:
            plugin.install(site)
        lock = self._folder / f"{attack.name}.lock"
        lock.write_text(keep_plugins(self._locked, {_BEHAVES, *(name for name, _code in _BROKEN)} - set(attack.locked)), "utf-8")
        variables = (("PYTHONPATH", join_paths(site, os.environ)), (_VARIABLE, secrets.token_hex(8)))
        with self._context.launch(TargetChanges(environment=variables, plugins_lock=lock)) as other:
            yield other

    def _tell_trap(self) -> str:
        signs = []
        if self.trap.marker.exists():
            signs.append("wrote a file" + (" with a variable of the environment" if self.trap.marker.read_text("utf-8") else ""))
            self.trap.marker.unlink()
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()[0].close()
            signs.append("opened a connection")
        return f", the plugin's code ran: it {' and '.join(signs)}" if signs else ""

    def _tell(self, attack: _Attack, evidence: str) -> None:
        title = (
            "a plugin that nobody allowed was loaded"
            if attack.plugins[0].code == write_evil(self.trap)
            else "a broken plugin is not told"
        )
        shown = ", ".join(f"entry point {one.name} of {one.distribution or one.name} {one.version}" for one in attack.plugins)
        self.add(title, f"{attack.name}: {evidence}", f"{attack.name}: {shown}")


def says_nothing(refusal: JivsbenchError) -> bool:
    """True for a start that failed for want of a server, or of time: on a slow machine no plugin is to blame for that."""
    return isinstance(refusal, _OF_THE_MACHINE) or (type(refusal) is EnvironmentProblem and _TOO_SLOW in str(refusal))


class PluginTrustCheck(HostileCheck):
    """Starts targets with a lock and with distributions on their path that are not in it, or not as they were."""

    id = "SEC-030"
    title = "With a lock, no code of a plugin runs that is not in it, and a broken plugin is named"
    severity = Severity.HIGH
    cwe = ("CWE-829", "CWE-427", "CWE-494", "CWE-470")
    # A host that does not look at the lock.
    vulnerable = TargetVariant("vulnerable-unlocked", is_unlocked=True)

    def run(self, context: CheckContext) -> CheckResult:
        """Attack."""
        victim = find_victim()
        if victim is None:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, "no plugin is installed that another could imitate")
        folder = context.make_folder()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            session = _Session(self, context, folder, listener, _lock_all())

            def send() -> None:
                for attack in list_attacks(session.trap, victim):
                    if context.is_full or (attack.is_fast and not session.findings):
                        session.attack(attack)

            return self._attack(context, session, send)


def list_attacks(trap: Trap, victim: Plugin) -> tuple[_Attack, ...]:
    """What is tried; the fast form takes some of it."""
    evil = write_evil(trap)
    broken = tuple(_Attack(name, (Plugin(name, code),), (name,)) for name, code in _BROKEN if name != "blocks_in_hook")
    return (
        _Attack("unlisted", (Plugin(_BEHAVES, evil),), (), is_fast=True),
        _Attack("changed", (Plugin(_BEHAVES, evil),), (_BEHAVES,), is_fast=True),
        _Attack("other_version", (Plugin(_BEHAVES, evil, version="1.1"),), (_BEHAVES,)),
        _Attack("other_distribution", (Plugin(_BEHAVES, evil, distribution="acme-too"),), (_BEHAVES,)),
        _Attack("duplicate", (Plugin(victim.name, evil, distribution="acme-too"),), (), (DuplicateNameError, PluginLoadError)),
        _Attack("imitated", (replace(victim, code=evil, package="acme_too"),), ()),
        _Attack("shadowed", (replace(victim, name="shadow", code=evil, distribution="acme-too"),), (), named=victim.name),
        *broken,
        # Nobody can tell a plugin that never ends from one that is slow: the start has a limit, and ends with a typed error.
        _Attack("blocks_in_hook", (Plugin("blocks_in_hook", BLOCKS_IN_HOOK),), ("blocks_in_hook",), (JivsbenchError,), named=""),
    )


@functools.lru_cache(maxsize=1)
def _lock_all() -> str:
    """A lock of the host's plugins, the one that behaves, and the broken ones; attacks take out what they do not want in it.

    Made once: the installed plugins stay the same as long as this process runs.
    """
    with tempfile.TemporaryDirectory(prefix="jivsbench-lock-") as name:
        folder = Path(name)
        for plugin in (Plugin(_BEHAVES), *(Plugin(broken, code) for broken, code in _BROKEN)):
            plugin.install(folder / "all")
        return lock_plugins(folder / "all", os.environ, folder)


def find_victim() -> Plugin | None:
    """An installed plugin, but the host's own, for others to take the name of."""
    for point in entry_points(group=PROJECT):
        if point.dist is not None and point.dist.name != PROJECT:
            return Plugin(point.name, "", point.dist.name, point.dist.version, point.module.partition(".")[0])
    return None
