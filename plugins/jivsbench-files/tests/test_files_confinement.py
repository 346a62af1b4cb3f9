"""Attacks on the confinement to one folder. Beside it lies `secret.csv`, which no name may reach."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jivsbench.errors import AccessDeniedError, ConfigError, ExtractionError, JivsbenchError, MissingObjectError
from jivsbench.model.secret import Secret
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_files.address import parse_address

ESCAPES = [
    "../secret.csv",
    "..\\secret.csv",
    "sub/../../secret.csv",
    "./../secret.csv",
    "sub/./../../secret.csv",
    "/etc/hosts.csv",
    "//etc/hosts.csv",
    "/proc/self/environ",
    "sub//x.csv",
    "sub/",
    "",
    ".",
    "..",
    "x\0.csv",
    "../secret.csv\0",
    "C:\\secret.csv",
    "\\\\server\\share\\x.csv",
    "%2e%2e/secret.csv",
    "..%2fsecret.csv",
    "\uff0e\uff0e/secret.csv",
    "sub\n/x.csv",
    "../*.csv",
    "*/../secret.csv",
    "../",
    "a" * 5000,
    "\ud800.csv",
]


def ask(session, name):
    """Every step that takes a table's name."""
    return session.schema(ExtractionRequest("test", TableName(name)))


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leads_out_of_the_folder(name, root, open_session):
    """Every spelling is refused or not there, and nothing of the file outside is told."""
    (root / "sub").mkdir()
    with pytest.raises(JivsbenchError) as caught:
        ask(open_session(), name)

    assert isinstance(caught.value, MissingObjectError | AccessDeniedError)
    assert "top secret" not in str(caught.value)


@pytest.mark.parametrize("where", ["file", "folder", "inside", "chain", "glob", "folder-table"])
def test_no_symbolic_link_is_followed(where, root, open_session):
    """Neither out of the folder nor within it; a link in a folder is no file of a table."""
    (root / "real.csv").write_text("a\n1\n")
    (root / "sub").mkdir()
    links = {
        "file": (root / "x.csv", "../secret.csv", "x.csv"),
        "folder": (root / "out", "..", "out/secret.csv"),
        "inside": (root / "x.csv", "real.csv", "x.csv"),
        "chain": (root / "sub" / "up", "../..", "sub/up/secret.csv"),
        "glob": (root / "x1.csv", "../secret.csv", "x*.csv"),
        "folder-table": (root / "sub" / "x.csv", "../../secret.csv", "sub"),
    }
    link, target, name = links[where]
    link.symlink_to(target)

    with pytest.raises((AccessDeniedError, MissingObjectError)) as caught:
        ask(open_session(), name)

    assert "top secret" not in str(caught.value)
    assert link.name not in {table.name for table in open_session().tables()}


def test_a_file_with_a_name_elsewhere_is_refused_unless_the_owner_takes_it(root, open_session):
    """A hard link is the file itself, so only the number of its names tells; by the URL's option it is read."""
    os.link(root.parent / "secret.csv", root / "x.csv")

    with pytest.raises(AccessDeniedError, match=r"has 2 names .* hard_links=yes") as caught:
        ask(open_session(), "x.csv")
    assert "top secret" not in str(caught.value)
    assert [column.name for column in ask(open_session(hard_links="yes"), "x.csv").columns] == ["a"]


def test_special_files_are_refused_without_being_opened(root, open_session):
    """A FIFO would wait for a writer for ever; a socket and a device are no files."""
    os.mkfifo(root / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.csv"))
        started = time.monotonic()
        for name in ("pipe.csv", "socket.csv"):
            with pytest.raises(AccessDeniedError, match=r"only ordinary files"):
                ask(open_session(), name)

    assert time.monotonic() - started < 2
    assert open_session().tables() == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_refused(root, open_session):
    """Also one that would give zeros for ever."""
    try:
        os.mknod(root / "zero.csv", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this machine lets nobody make devices")

    with pytest.raises(AccessDeniedError, match=r"only ordinary files"):
        ask(open_session(), "zero.csv")


def test_a_folder_that_swaps_with_a_link_never_lets_out(root, open_session):
    """A thousand races between looking and opening: whatever is read, it is never the file outside."""
    (root / "d").mkdir()
    (root / "d" / "secret.csv").write_text("a\nharmless\n")
    (root / "link").symlink_to("..")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for one, two in (("d", "d.away"), ("link", "d"), ("d", "link"), ("d.away", "d")):
                (root / one).rename(root / two)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        session = open_session()
        give_up_at = time.monotonic() + 20
        tries = 0
        while (tries < 1000 or b"a\nharmless\n" not in seen) and time.monotonic() < give_up_at:
            tries += 1
            try:
                descriptor = session._root.open_file("d/secret.csv")
            except JivsbenchError as error:
                seen.add(type(error).__name__)
                continue
            seen.add(os.read(descriptor, 100))
            os.close(descriptor)
    finally:
        stop.set()
        thread.join()

    assert b"a\ntop secret\n" not in seen
    assert b"a\nharmless\n" in seen


def test_another_file_system_is_not_entered():
    """With / as the folder, /proc lies below it: what the kernel tells of processes is no table."""
    from jivsbench_files.confinement import Root

    base = Root(Path("/"))
    try:
        with pytest.raises((AccessDeniedError, MissingObjectError)):
            base.open_file("proc/self/environ")
    finally:
        base.close()


def test_a_file_that_may_not_be_read_says_so(root):
    """As another user: root may read everything, so the attempt is made in a process that is nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    (root / "mine.csv").write_text("a\n1\n")
    (root / "mine.csv").chmod(0o600)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom jivsbench_files.confinement import Root\n"
        "root = Root(Path(sys.argv[1]))\nos.seteuid(65534)\n"
        "try:\n    root.open_file('mine.csv')\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)

    assert "AccessDeniedError table 'mine.csv' may not be read" in done.stdout


@pytest.mark.parametrize(
    "url",
    [
        "files://host/srv",
        "files:srv/data",
        "files://",
        "file:///srv",
        "files:///srv#x",
        "files:///srv%00",
        "files:///proc",
        "files:///sys/kernel",
        "files:///dev",
        "files:///srv?delimiter=%0A",
        "files:///srv?delimiter=ab",
        "files:///srv?encoding=rot13",
        "files:///srv?encoding=nope",
        "files:///srv?header=perhaps",
        "files:///srv?hard_links=maybe",
        "files:///srv?max_columns=0",
        "files:///srv?max_columns=-1",
        "files:///srv?max_columns=1e3",
        f"files:///srv?max_columns={'1'.zfill(20) + '9' * 5_000}",
        f"files:///srv?max_columns={'1'.zfill(16) + '9' * 5_000}",
        "files:///srv?follow_links=yes",
        "files:///srv?sheet=a&sheet=b",
    ],
)
def test_a_url_that_says_anything_else_is_refused(url):
    """Before anything is opened."""
    with pytest.raises(ConfigError, match=r"files URL|kernel's"):
        parse_address(Secret(url))


def test_a_hidden_name_is_not_taken_for_a_plain_one(root, open_session):
    """`.x.csv` splits into an empty namespace and `x.csv`, which is another file."""
    (root / "x.csv").write_text("a\n1\n")
    with pytest.raises(MissingObjectError, match=r"hidden"):
        open_session().schema(ExtractionRequest("test", TableName("x.csv", "")))


def test_a_query_is_refused(open_session):
    """There is no SQL to send it to."""
    with pytest.raises(ExtractionError, match=r"knows no SQL"):
        open_session().schema(ExtractionRequest("test", query="SELECT 1"))
