"""Whatever a check of files sees by is asked to prove it: who is blind, or attacked nothing, may not call a target safe."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jivsbench.api import CheckContext, Response, TargetChanges
from jivsbench.errors import ConfigError, InvalidRunError
from jivsbench_security.extractions import Ending, Extractions
from jivsbench_security.files.file_bombs import FileBombsCheck, forget_peak, prove_hearing
from jivsbench_security.files.file_modes import FileModesCheck, ModeWatch, find_open_modes, find_shared_files
from jivsbench_security.files.file_session import FileSession, read_texts
from jivsbench_security.files.file_sources import FileSource
from jivsbench_security.files.file_watch import MADE, OPENED, FileWatch
from jivsbench_security.files.link_escape import Swapper, require_swaps
from jivsbench_security.files.path_traversal import is_about_path
from jivsbench_security.hostile_check import started
from jivsbench_security.servers.listeners import Listeners


class OneAnswerTarget:
    """Creates every extraction, and ends each of them in the same way."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._job = job
        self.bodies: list[object] = []

    def call(self, method: str, path: str, body: object = None) -> Response:
        """What the API answers."""
        if path == "/extractions":
            self.bodies.append(body)
            return Response(201, {"id": f"job-{len(self.bodies)}"})
        name = path.removeprefix("/extractions/").partition("?")[0]
        return Response(202, {}) if method == "POST" else Response(200, {"output": name, **self._job})


def build_context(job: Mapping[str, Any], output_dir: Path) -> Any:
    """A context of this process, over a target that ends jobs so."""
    return SimpleNamespace(
        target=OneAnswerTarget(job),
        output_dir=output_dir,
        pid=os.getpid(),
        source="main",
        table="rows",
        dialect="",
        is_full=False,
    )


def end(state: str, slug: str | None = None, **facts: object) -> Ending:
    """A job's end."""
    return Ending(200, slug, {"state": state, "error": {"slug": slug}, **facts}, 0.1)


def test_a_folder_that_is_not_watched_is_no_silence(tmp_path: Path) -> None:
    """One that is not there, and one that went away meanwhile: nobody knows what happened in it."""
    with pytest.raises(InvalidRunError, match="ENOENT"):
        FileWatch([tmp_path / "missing"], OPENED)
    (tmp_path / "folder").mkdir()
    with FileWatch([tmp_path / "folder"], OPENED) as watch:
        (tmp_path / "folder").rmdir()

        with pytest.raises(InvalidRunError, match="is gone"):
            watch.events()


def test_a_watch_proves_that_it_sees(tmp_path: Path) -> None:
    """What it proves itself with is no event; where it is blind it says so."""
    for name in ("seen", "unseen"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    with FileWatch([tmp_path / "seen"], OPENED) as watch:
        watch.prove_sight(tmp_path / "seen" / "file")
        assert watch.events() == ()

        with pytest.raises(InvalidRunError, match="told of nothing"):
            watch.prove_sight(tmp_path / "unseen" / "file")


def test_a_dead_watcher_of_modes_is_no_pass(tmp_path: Path) -> None:
    """The folder that it watches is not there, or goes away meanwhile."""
    with pytest.raises(InvalidRunError, match="nobody looked"), ModeWatch(tmp_path / "missing"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidRunError, match="nobody looked"), ModeWatch(tmp_path / "folder"):
        (tmp_path / "folder").rmdir()


def test_folders_that_vanish_do_not_end_the_watch(tmp_path: Path) -> None:
    """As those of failed jobs do, in the moment that somebody looks into them."""
    with ModeWatch(tmp_path) as watch:
        for number in range(300):
            (tmp_path / f"job-{number}").mkdir(mode=0o700)
            (tmp_path / f"job-{number}").rmdir()
        os.close(os.open(tmp_path / "open", os.O_CREAT | os.O_WRONLY, 0o600))
        (tmp_path / "open").chmod(0o644)

    assert (tmp_path / "open", 0o644) in find_open_modes(watch.seen)


def test_a_temporary_file_that_was_open_for_a_moment_is_seen(tmp_path: Path) -> None:
    """In a folder that all may write to; one in a folder of its owner's is none."""
    with ModeWatch(tmp_path, os.getpid()) as watch, tempfile.NamedTemporaryFile(dir="/tmp") as shared:
        (tmp_path / "own").touch()
        with (tmp_path / "own").open():
            assert Path(shared.name) in find_shared_files(os.getpid())
            assert not any(path.is_relative_to(tmp_path) for path in find_shared_files(os.getpid()))
            give_up_at_s = time.monotonic() + 5
            while Path(shared.name) not in watch.held and time.monotonic() < give_up_at_s:
                time.sleep(0.01)

    assert Path(shared.name) in watch.held


def test_no_swap_is_no_race(tmp_path: Path) -> None:
    """Names that cannot be exchanged are never exchanged."""
    with Swapper(tmp_path / "missing", tmp_path / "neither") as swapper:
        pass

    with pytest.raises(InvalidRunError, match="0 times"):
        require_swaps(swapper.swaps, 1)
    require_swaps(5, 5)


@pytest.mark.parametrize(
    ("answer", "is_met"),
    [
        (Response(201, {}), True),
        (Response(422, {"slug": "bad-request"}), True),
        (Response(404, None), True),
        (Response(500, None), True),
        (Response(502, {"slug": "access-denied"}), True),
        (Response(0, None), False),
        (Response(401, {"slug": "unauthorized"}), False),
        (Response(409, {"slug": "duplicate-name"}), False),
        (Response(503, {"slug": "shutting-down"}), False),
    ],
)
def test_a_busy_target_says_nothing_of_a_path(answer: Response, is_met: object) -> None:
    """Only what takes the path, or refuses it, has met it."""
    assert is_about_path(answer) is is_met


def test_a_full_disk_refuses_no_attack() -> None:
    """Except where the attack is on the folder of the output."""
    session = FileSession(FileBombsCheck(), lambda: True)
    session.meet(end("FAILED", "output"), "a bomb")
    session.meet(end("FAILED", "output"), "a link", refusal="output")
    session.meet(end("FAILED", "deadline"), "a bomb", refusal="output")
    session.meet(end("FAILED", "access-denied"), "a link")

    assert (session.attempted, session.reached, session.unanswered) == (4, 2, 2)


def test_rows_that_cannot_be_read_are_not_free_of_secrets(tmp_path: Path) -> None:
    """A job that wrote rows where nobody finds them; one that wrote none has none."""

    def fail(_job: object) -> None:
        raise InvalidRunError("no Parquet file")

    context = SimpleNamespace(read_output=fail)
    with pytest.raises(InvalidRunError):
        read_texts(context, end("COMPLETED", rows_written=3))
    assert read_texts(context, end("COMPLETED", rows_written=0)) == ""
    target = OneAnswerTarget({"state": "COMPLETED"})
    FileSource("files", tmp_path, Extractions(target)).run("fair.csv")
    assert [body["format"] for body in target.bodies if isinstance(body, dict)] == ["parquet"]


def test_a_source_that_refuses_everything_stops_no_attack(tmp_path: Path) -> None:
    """Its harmless tables are asked for, too."""
    broken, sound = (OneAnswerTarget({"state": state, "error": {"slug": "config"}}) for state in ("FAILED", "COMPLETED"))

    FileSource("files", tmp_path, Extractions(sound)).require("fair.csv")
    with pytest.raises(InvalidRunError, match=r"fair\.csv"):
        FileSource("files", tmp_path, Extractions(broken)).require("fair.csv")


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
def test_modes_of_one_kind_of_job_are_not_enough(state: str, tmp_path: Path) -> None:
    """Where no job completes no file is made, and where none fails nothing can be left behind."""
    for number in range(10):
        (tmp_path / "outputs" / f"job-{number}").mkdir(parents=True)
    log = tmp_path / "log"
    log.touch(mode=0o600)
    job = {"state": state, "error": {"slug": "missing-object"}}
    context = build_context(job, tmp_path / "outputs")
    context.make_folder = lambda: Path(tempfile.mkdtemp(dir=tmp_path))
    context.log, context.seed = log, 1
    benign = iter([True, True])
    check = FileModesCheck()

    with pytest.MonkeyPatch.context() as patch:
        # The harmless job before and after completes, as on a target whose formats alone are broken.
        patch.setattr("jivsbench_security.files.file_modes._runs", lambda *_: next(benign))
        with pytest.raises(InvalidRunError, match="have to be seen"):
            check.run(context)


def test_a_listener_that_hears_nothing_says_so() -> None:
    """Its own connection is not counted; one to another server is not heard, and one to nobody neither."""
    listeners = Listeners()
    port = listeners.listen(socket.AF_INET, ("127.0.0.1", 0), "a server")
    with listeners.accepting():
        prove_hearing(listeners, port)
        assert listeners.take_visits() == ()
        with socket.create_server(("127.0.0.1", 0)) as other, pytest.MonkeyPatch.context() as patch:
            patch.setattr("jivsbench_security.files.file_bombs._HEARING_S", 0.2)
            unheard = other.getsockname()[1]
            with pytest.raises(InvalidRunError, match="did not notice"):
                prove_hearing(listeners, unheard)
        with pytest.raises(InvalidRunError, match="did not notice"):
            prove_hearing(listeners, unheard)


def test_a_peak_that_cannot_be_forgotten_is_no_measure() -> None:
    """Of a process that is gone, for one."""
    assert forget_peak(os.getpid())
    assert forget_peak(0) is None


def test_a_target_that_has_to_start_and_does_not_is_no_finding() -> None:
    """Nothing was tried; what is raised within the block is somebody else's."""

    @contextmanager
    def refuse(_changes: TargetChanges) -> Iterator[CheckContext]:
        raise ConfigError("no")
        yield

    @contextmanager
    def start(_changes: TargetChanges) -> Iterator[str]:
        yield "a target"

    with pytest.raises(InvalidRunError, match="config"), started(SimpleNamespace(launch=refuse), TargetChanges()):
        pass
    with pytest.raises(ConfigError), started(SimpleNamespace(launch=start), TargetChanges()):
        raise ConfigError("of the block")


def test_what_is_made_is_seen_where_its_folder_comes_later(tmp_path: Path) -> None:
    """A folder that is added and gone is passed over; the others go on."""
    with FileWatch([tmp_path], MADE) as watch:
        watch.add(tmp_path / "gone")
        (tmp_path / "job").mkdir()
        watch.add(tmp_path / "job")
        (tmp_path / "job" / "part").touch()
        shutil.rmtree(tmp_path / "job")

        assert [event.path.name for event in watch.events()] == ["job", "part"]
