"""Data sources over HTTP: added, tested, changed, removed, and never told."""

import base64
import secrets
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jivsbench.service.auth import Role
from tests.service.service_bench import TOKENS, WINDOW, Bench, build_spec, running

CANARY = "cAnArY-p@ss/word-9f31"


@pytest.fixture
def changing_user(embedded_postgres_url: str) -> Iterator[str]:
    """A role that may read everything, whose password a test changes; its first password is `first-password`."""
    name = f"reader_{secrets.token_hex(4)}"
    with psycopg.connect(embedded_postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'first-password' IN ROLE pg_read_all_data")
        yield name
        connection.execute(f"DROP ROLE {name}")


def url_of(user: str, password: str, shop_url: str) -> str:
    """The shop's URL with another user."""
    return f"postgresql://{user}:{urllib.parse.quote(password, safe='')}@{shop_url.rpartition('@')[2]}"


def test_a_source_from_its_adding_to_its_removal(bench: Bench, shop_url: str) -> None:
    """Added, listed, tested, read from, removed; its jobs stay, its name is free again."""
    body = {"name": "second", "connector": "postgres", "url": shop_url, "tables": ["bench_rows"]}
    added = bench.call("POST", "/data-sources", body)
    assert (added.status, added.body["tables"], added.body["is_declared"]) == (201, ["bench_rows"], False)
    assert bench.call("POST", "/data-sources", body).slug == "duplicate-name"
    assert [source["name"] for source in bench.call("GET", "/data-sources").body["items"]] == ["main", "second"]
    assert bench.call("POST", "/data-sources/second/test").body["product"] == "PostgreSQL"
    job_id = bench.start(source="second", filters=WINDOW)
    assert bench.wait(job_id)["rows_written"] == 1000

    assert bench.call("DELETE", "/data-sources/second").status == 204
    assert bench.call("GET", "/data-sources/second").slug == "unknown-name"
    assert bench.call("DELETE", "/data-sources/second").slug == "unknown-name"
    assert bench.call("GET", f"/extractions/{job_id}").body["source"] == "second"
    assert bench.call("POST", "/extractions", {"source": "second", "table": "bench_rows"}).status == 422
    assert bench.call("POST", "/data-sources", body).status == 201
    assert bench.call("DELETE", "/data-sources/second").status == 204


def test_the_tables_of_a_source_bound_every_job(bench: Bench, shop_url: str) -> None:
    """A table that the source's owner does not allow is refused by the guard, and after a change it is allowed."""
    bench.call("POST", "/data-sources", {"name": "narrow", "connector": "postgres", "url": shop_url, "tables": ["other"]})
    refused = bench.call("POST", "/extractions", {"source": "narrow", "table": "bench_rows"})
    assert (refused.status, refused.slug) == (422, "guard-refused")

    changed = bench.call("PUT", "/data-sources/narrow", {"connector": "postgres", "url": shop_url, "tables": ["bench_rows"]})
    assert changed.body["tables"] == ["bench_rows"]
    assert bench.wait(bench.start(source="narrow"))["state"] == "COMPLETED"
    bench.call("DELETE", "/data-sources/narrow")


def list_sessions(owner: psycopg.Connection, user: str) -> list[tuple]:
    """The user's sessions on the server: their age, what they do and what they asked last."""
    text = "SELECT now() - backend_start, state, query FROM pg_stat_activity WHERE usename = %s"
    return owner.execute(text, [user]).fetchall()


def wait_for_end(owner: psycopg.Connection, user: str, limit_s: float = 10.0) -> list[tuple]:
    """The sessions that are still there when the time is up. The pool closes at once; a busy server ends a session later."""
    give_up_at_s = time.monotonic() + limit_s
    while (sessions := list_sessions(owner, user)) and time.monotonic() < give_up_at_s:
        time.sleep(0.02)
    return sessions


def test_a_changed_password_closes_the_old_connections(bench: Bench, shop_url: str, changing_user: str) -> None:
    """After the change no session of the old credentials is left on the server, and the next job uses the new ones."""
    source = {"connector": "postgres", "url": url_of(changing_user, "first-password", shop_url)}
    with psycopg.connect(shop_url, autocommit=True) as owner:
        bench.call("POST", "/data-sources", {"name": "changing", **source})
        assert bench.wait(bench.start(source="changing"))["state"] == "COMPLETED"
        assert list_sessions(owner, changing_user)

        owner.execute(f"ALTER ROLE {changing_user} PASSWORD '{CANARY}'")
        url = url_of(changing_user, CANARY, shop_url)
        assert bench.call("PUT", "/data-sources/changing", {"connector": "postgres", "url": url}).status == 200
        assert wait_for_end(owner, changing_user) == []
        assert bench.wait(bench.start(source="changing"))["state"] == "COMPLETED"

        assert bench.call("DELETE", "/data-sources/changing").status == 204
        assert wait_for_end(owner, changing_user) == []


@pytest.mark.parametrize(
    ("url", "slug"),
    [("postgresql://u:{canary}@127.0.0.1:1/x", "source-unreachable"), ("postgresql://nobody:{canary}@{host}", "access-denied")],
)
def test_a_source_that_does_not_answer_fails_its_test(bench: Bench, shop_url: str, url, slug) -> None:
    """502 with the reason; no part of the password."""
    full = url.format(canary=urllib.parse.quote(CANARY, safe=""), host=shop_url.rpartition("@")[2])
    bench.call("POST", "/data-sources", {"name": "broken", "connector": "postgres", "url": full})
    answer = bench.call("POST", "/data-sources/broken/test")
    job = bench.wait(bench.start(source="broken"))
    bench.call("DELETE", "/data-sources/broken")

    assert (answer.status, answer.slug) == (502, slug)
    assert (job["state"], job["error"]["slug"]) == ("FAILED", slug)
    assert "cAnArY" not in f"{answer.body} {job}"


def test_a_stored_source_survives_a_restart(shop_url: str, tmp_path: Path) -> None:
    """A source added over HTTP is there, with its URL, when the service starts again on the same folder."""
    spec = build_spec(shop_url, tmp_path / "out")
    with running(spec, tmp_path) as bench:
        bench.call("POST", "/data-sources", {"name": "kept", "connector": "postgres", "url": shop_url})
    with running(spec, tmp_path) as bench:
        assert [source["name"] for source in bench.call("GET", "/data-sources").body["items"]] == ["kept", "main"]
        assert bench.wait(bench.start(source="kept", filters=WINDOW))["rows_written"] == 1000


def test_no_secret_leaves_the_service(shop_url: str, changing_user: str, tmp_path: Path) -> None:
    """A canary password, in any form, and the tokens: in no answer, log line, metric or output, nor in argv or environment."""
    with psycopg.connect(shop_url, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {changing_user} PASSWORD '{CANARY}'")
    good = url_of(changing_user, CANARY, shop_url)
    bad = good.replace("/shop_", "/no_such_database_")
    seen = []
    with running(build_spec(good, tmp_path / "out"), tmp_path) as bench:

        def look(method, path, body=None):
            answer = bench.call(method, path, body)
            seen.append(f"{answer.body} {answer.headers}")
            return answer

        for url in (good, bad, f"postgresql://u:{CANARY}@[broken", f"postgresql://u:{CANARY}@127.0.0.1:1/x"):
            look("POST", "/data-sources", {"name": "extra", "connector": "postgres", "url": url})
            look("POST", "/data-sources", {"name": "extra", "connector": "postgres", "url": url})
            look("POST", "/data-sources/extra/test")
            for path in ("/data-sources", "/data-sources/extra"):
                look("GET", path)
            # A URL that could be read in two ways was not even added.
            job_id = look("POST", "/extractions", {"source": "extra", "table": "bench_rows"}).body.get("id", "none")
            look("POST", f"/extractions/{job_id}/start")
            look("GET", f"/extractions/{job_id}?wait_s=20")
            look("GET", f"/extractions/{job_id}/logs")
            look("POST", "/data-sources", {"name": "extra", "connector": "postgres", "url": url, CANARY: url})
            look("PUT", "/data-sources/extra", {"connector": CANARY[:10], "url": url})
            look("DELETE", "/data-sources/extra")
        look("GET", "//metrics")
        look("GET", "/profile")
        process = Path(f"/proc/{bench.service.pid}")
        seen += [(process / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")]
    seen.append(bench.log.read_text())
    seen += [path.read_bytes().decode(errors="replace") for path in bench.output_dir.glob("*/*.json")]

    everything = "\n".join(seen)
    encoded = base64.b64encode(CANARY.encode()).decode()[:12]
    for part in (CANARY, urllib.parse.quote(CANARY, safe=""), CANARY[:8], CANARY[-8:], encoded, *TOKENS.values()):
        assert part not in everything, part
    assert len(seen) > 40


def test_a_test_of_a_source_tells_no_part_of_its_url(shop_file: str, tmp_path: Path) -> None:
    """Neither whoever may extract nor an administrator reads which file it is, or which folder, or who logs in where."""
    (tmp_path / "folder-of-tables").mkdir()
    with running(build_spec(shop_file, tmp_path / "out", connector="sqlite"), tmp_path) as bench:
        body = {"name": "files", "connector": "files", "url": f"files://{tmp_path}/folder-of-tables"}
        assert bench.call("POST", "/data-sources", body).status == 201
        for role, name in ((role, name) for role in (Role.DATA_ENGINEER, Role.ADMIN) for name in ("main", "files")):
            told = bench.call("POST", f"/data-sources/{name}/test", role=role)

            assert (told.status, set(told.body)) == (200, {"product", "version", "may_write", "max_connections"})
            assert "shop" not in str(told.body)
            assert "folder" not in str(told.body)
