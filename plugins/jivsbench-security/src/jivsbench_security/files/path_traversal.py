"""SEC-011: path traversal. No name of a table, job or source, and no URL, leads out of the folder that it is for."""

import itertools
import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jivsbench.api import CheckContext, Response, TargetChanges, TargetVariant
from jivsbench.errors import (
    ConfigError,
    DestinationError,
    InvalidRunError,
    JivsbenchError,
    PluginLoadError,
    UnknownNameError,
)
from jivsbench.model.finding import CheckResult, Severity
from jivsbench_security.extractions import INTERNAL_ERROR, read_slug
from jivsbench_security.files.file_session import FileCheck, FileSession, read_texts
from jivsbench_security.files.file_sources import FileSource, add_source, offer_folder, remove_source, write_url
from jivsbench_security.files.file_watch import OPENED, FileWatch
from jivsbench_security.hostile_check import started
from jivsbench_security.payloads import Payload
from jivsbench_security.places import PATHS, compose

_FAST: Final = 90
_FULL: Final = 1_443
_OPENED: Final = range(200, 300)
_ABOUT_THE_PATH: Final = frozenset({400, 404, 405, 414, 422, INTERNAL_ERROR})
_REFUSALS: Final = frozenset({"access-denied", "destination", "missing-object", "source-unreachable"})
_NO_PLUGIN: Final = frozenset({ConfigError.slug, PluginLoadError.slug, UnknownNameError.slug})
_CANARY: Final = "canary of the files outside"
_SECRET: Final = "secret.csv"  # noqa: S105 - a file's name
_LONGEST: Final = 256
"""What the API takes as a table's name; longer ones would be refused for their length."""


class PathTraversalCheck(FileCheck):
    """Brings a folder with files beside it, and asks for them in every spelling; the kernel says which were opened."""

    id = "SEC-011"
    title = "Paths: no name and no URL leads out of its folder"
    severity = Severity.HIGH
    cwe = ("CWE-22", "CWE-36", "CWE-73")
    # Takes `../` out of names once, and compares the start of the path without a separator behind.
    vulnerable = TargetVariant(
        "vulnerable-paths",
        plugins=("jivsbench.testing.vulnerable.prefix_guard", "jivsbench.testing.vulnerable.path_prefix"),
        guards=("vulnerable-prefix",),
    )

    def _attack_files(self, context: CheckContext) -> CheckResult:
        arena = Arena(context.make_folder())
        with offer_folder(context, arena.root) as source:
            session = FileSession(self, lambda: source.run("fair.csv").is_completed)

            def send() -> None:
                before = list_files(context, arena)
                _ask_for_tables(context, session, source, arena)
                _ask_for_urls(context, session, arena)
                _ask_for_names(context, session, arena)
                if context.is_full:
                    _ask_without_guard(context, session, arena)
                    _load_plugins(context, session, arena)
                for path in sorted(list_files(context, arena) - before):
                    session.add(
                        "a file was made outside",
                        f"{path} was not there before",
                        f"one of the requests of this check made {path.name}",
                    )

            return self._attack(context, session, send)


class Arena:
    """A folder to be offered, and what lies beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.sibling = folder / "root_evil"
        for made in (self.root, self.root / "sub", self.sibling):
            made.mkdir(mode=0o700)
        (self.root / "fair.csv").write_text("id\n1\n")
        for outside in (self.folder, self.sibling):
            (outside / _SECRET).write_text(f"text\n{_CANARY}\n")

    def payloads(self, choice: random.Random) -> Iterator[Payload]:
        """Names of what lies outside: each as it is, then in every other spelling, in random order."""
        secret, sibling = str(self.folder / _SECRET), str(self.sibling / _SECRET)
        climbs = ["../" * depth + _SECRET for depth in (1, 2, 3)]
        techniques = {
            "climb": (*climbs, f"sub/../../{_SECRET}", f"fair.csv/../../{_SECRET}", "../" * 20 + secret[1:]),
            "absolute": (secret, sibling, f"/{secret}", f"/proc/self/root{secret}", f"/proc/self/cwd/{_SECRET}", "/dev/stdin"),
            "sibling": (
                f"../root_evil/{_SECRET}",
                "../root_evil",
                "../*.csv",
                "../root_evil/*.csv",
                f"sub/../../root_evil/{_SECRET}",
            ),
            "naive-filter": (f"....//{_SECRET}", f"x/....//....//{_SECRET}", f"..././{_SECRET}", f"....//root_evil/{_SECRET}"),
            "odd-name": ("..", ".", "sub/..", "", "*", "fair.csv/.", "~", f"fair.csv\0/../../{_SECRET}", "sub/\n/../..", "-rf"),
        }
        boundaries = tuple(pair for pair in PATHS.boundaries if pair[0] not in ("out/", "a/", "job\n"))
        grammar = replace(PATHS, boundaries=(*boundaries, ("sub/", ""), ("x/", ""), ("sub/../", "")), techniques=techniques)
        plain = (Payload(technique, text) for technique, texts in techniques.items() for text in texts)
        seen: set[str] = set()
        for payload in itertools.chain(plain, compose(grammar, choice)):
            if 0 < len(payload.text) <= _LONGEST and payload.text not in seen:
                seen.add(payload.text)
                yield payload


def list_files(context: CheckContext, arena: Arena) -> set[Path]:
    """What lies where a name could lead, without the folders of jobs and the target's own state."""
    around = context.output_dir.parent
    own = (context.output_dir, around / "checks")
    found = set(arena.folder.rglob("*"))
    found.update(path for path in around.iterdir() if path not in own)
    return found | {path for path in context.output_dir.iterdir() if not _is_known(path.name)}


def _is_known(name: str) -> bool:
    return name.startswith(".") or len(name) == len("00000000-0000-0000-0000-000000000000")


def _ask_for_tables(context: CheckContext, session: FileSession, source: FileSource, arena: Arena) -> None:
    choice = random.Random(context.seed)  # noqa: S311 - repeatable, not secret
    payloads = list(itertools.islice(arena.payloads(choice), _FULL if context.is_full else _FAST))
    with FileWatch((arena.folder, arena.sibling), OPENED) as watch:
        watch.prove_sight(arena.folder / _SECRET)
        endings = source.run_all([payload.text for payload in payloads])
        opened = {event.path.relative_to(arena.folder) for event in watch.events() if event.path.name == _SECRET}
    for payload, ending in zip(payloads, endings, strict=True):
        reproducer = f"POST /extractions of a files source, table {payload.text[:120]!r}, and start it"
        session.meet(ending, reproducer)
        if _CANARY in read_texts(context, ending):
            session.add(
                f"a table's name led out of the source's folder ({payload.technique})", "rows of it came back", reproducer
            )
    if opened and not session.findings:
        told = ", ".join(map(str, sorted(opened)))
        session.add("a file outside the source's folder was opened", told, f"one of the names of this check opened {told}")
    session.remarks.append(f"{len(payloads)} names of tables, {len(opened)} files outside opened")


def _ask_for_urls(context: CheckContext, session: FileSession, arena: Arena) -> None:
    """URLs that are no folder of files: the kernel's folders, other hosts, names with a NUL, relative ones."""
    climb = write_url(arena.root) + "/.." * 20
    urls = (
        "files:///proc/self",
        "files:///dev/fd",
        "files:///sys/kernel",
        f"{climb}/proc/self",
        f"{climb}/dev/../proc/1",
        f"files://localhost{arena.root}",
        f"files:{arena.root.name}",
        f"{write_url(arena.root)}%00/../root_evil",
        f"{write_url(arena.root)}?max_files=1&root={quote(str(arena.sibling))}",
    )
    for url in urls:
        if _opens(context, session, url):
            session.add(
                "a URL that is no folder of files was opened", "the test of the data source succeeded", f"data source {url}"
            )
    session.remarks.append(f"{len(urls)} URLs")


def _opens(context: CheckContext, session: FileSession, url: str) -> bool:
    name, answer = add_source(context, url)
    if answer.status in _OPENED:
        answer = context.target.call("POST", f"/data-sources/{name}/test")
        remove_source(context, name)
    _meet_answer(session, answer, f"data source {url}")
    return answer.status in _OPENED


def _ask_for_names(context: CheckContext, session: FileSession, arena: Arena) -> None:
    """Names that become folders on the disk, or parts of URLs. By the mark in them a file is found wherever it was made."""
    mark = secrets.token_hex(8)
    climbing = (f"../{mark}", f"../../{mark}", f"a/../../{mark}", f"..%2f{mark}", f".jobs/{mark}", f".audit/{mark}")
    names = ("..", ".jobs", *climbing, str(arena.folder / mark), f"{mark}\0")
    for name in names:
        body = {"name": name, "connector": "files", "url": write_url(arena.root)}
        answer = context.target.call("POST", "/data-sources", body)
        _meet_answer(session, answer, f"POST /data-sources, name {_show(name, mark)}")
        if answer.status in _OPENED:
            remove_source(context, quote(name, safe=""))
        for method, end in (("GET", ""), ("POST", "/start"), ("GET", "/logs")):
            answer = context.target.call(method, f"/extractions/{quote(name, safe='')}{end}")
            _meet_answer(session, answer, f"{method} /extractions/NAME{end} with {_show(name, mark)}")
    for path in sorted(context.output_dir.parent.parent.rglob(f"*{mark}*")):
        session.add("a name became a file", f"{path.name} in {path.parent.name}", f"a job or data source called {path.name}")
    session.remarks.append(f"{len(names)} names of jobs and sources")


def _show(name: str, mark: str) -> str:
    return repr(name.replace(mark, "x"))


def _meet_answer(session: FileSession, answer: Response, reproducer: str) -> None:
    session.tally.count(is_met=is_about_path(answer))
    if answer.status == INTERNAL_ERROR:
        session.add("a path made the target fail as if by its own fault", "status 500", reproducer)


def is_about_path(answer: Response) -> bool:
    """True for an answer that takes a path or refuses it; a target that is busy, or wants another token, says nothing of it."""
    return answer.status in _OPENED or answer.status in _ABOUT_THE_PATH or read_slug(answer) in _REFUSALS


def _ask_without_guard(context: CheckContext, session: FileSession, arena: Arena) -> None:
    """The connector alone, with one allowed folder: the guard refuses some names before it sees them."""
    allowed = (str(arena.root), "127.0.0.1", "localhost")
    try:
        with started(context, TargetChanges(guards=(), destinations=allowed)) as other, offer_folder(other, arena.root) as source:
            source.require("fair.csv")
            _ask_for_tables(other, session, source, arena)
            source.require("fair.csv")
            for folder in (arena.sibling, arena.folder, arena.root / "..", Path("/")):
                if _opens(other, session, write_url(folder)):
                    session.add("a folder beside the allowed one was opened", str(folder), f"data source {write_url(folder)}")
    except InvalidRunError as problem:
        if not isinstance(problem.__cause__, DestinationError):
            raise
        session.remarks.append("not tried without a guard: a target with one allowed folder does not start over this source")


def _load_plugins(context: CheckContext, session: FileSession, arena: Arena) -> None:
    """A plugin is a module by its name, never a file by its path."""
    mark = arena.folder / "loaded"
    evil = arena.folder / "evil.py"
    evil.write_text(f"open({str(mark)!r}, 'w').close()\n")
    names: Sequence[str] = ("../evil", str(evil), f"..{arena.folder.name}.evil")
    for name in names:
        try:
            with context.launch(TargetChanges(plugins=(name,))):
                session.tally.count(is_met=True)
                session.add("a target started with a path as a plugin's name", name, f"plugins = [{name!r}]")
        except JivsbenchError as refusal:
            session.tally.count(is_met=refusal.slug in _NO_PLUGIN)
    if mark.exists():
        session.add("a file was run as a plugin by its path", "it left its mark", f"plugins = {list(names)}")
    for own in (mark, evil):
        own.unlink(missing_ok=True)
