"""The audit trail of a running service: every refused attack is in it, and without it nothing is done."""

import json
from dataclasses import replace
from pathlib import Path

from jivsbench.extract.credentials import AUDIT_USE, parse_credential_key
from jivsbench.model.audit import review_trail
from jivsbench.model.secret import Secret
from jivsbench.service.audit import AUDIT_FOLDER
from jivsbench.service.auth import Role
from tests.service.service_bench import CREDENTIAL_KEY, TOKENS, build_spec, running

CANARY = "cAnArY-7d1f93aa02"


def read_events(folder: Path) -> list[dict[str, object]]:
    """All lines of the service's trail, after its chain was followed."""
    (path,) = (folder / AUDIT_FOLDER).glob("trail-*.jsonl")
    key = parse_credential_key(Secret(CREDENTIAL_KEY)).derive(AUDIT_USE)
    with path.open("rb") as file:
        assert review_trail(file, key).is_intact
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_every_refused_attack_is_written_down_without_its_secrets(shop_file: str, tmp_path: Path) -> None:
    """Who, what, when and why, under the correlation id of the answer; no token, password, query or value."""
    spec = build_spec(shop_file, tmp_path / "out", connector="sqlite")
    attacks = []
    with running(spec, tmp_path) as bench:

        def attack(*arguments: object, **options: object) -> None:
            attacks.append(bench.call(*arguments, **options))

        attack("GET", "/extractions", role=None)
        attack("GET", "/extractions", role=None, headers={"Authorization": f"Bearer {CANARY}"})
        attack("POST", "/extractions", {"source": "main", "table": "bench_rows"}, role=Role.VIEWER)
        attack("DELETE", "/data-sources/main", role=Role.DATA_ENGINEER)
        attack("POST", "/extractions", {"source": "main", "query": f"SELECT '{CANARY}'; DROP TABLE bench_rows"})
        attack("POST", "/extractions", {"source": "main", "table": "sqlite_master"})
        attack("POST", "/extractions", {"source": "main", "table": 3, CANARY: CANARY})
        attack("POST", "/extractions", b"{" + CANARY.encode())
        attack("POST", "/extractions", {"source": "main", "query": "x" * (2 << 20)})
        attack("GET", "/extractions/nothing?token=" + CANARY)
        attack("GET", "/../../etc/passwd")
        attack("PATCH", "/extractions")
        bench.call("POST", "/data-sources", {"name": "more", "connector": "sqlite", "url": f"sqlite:///{CANARY}"})
        job = bench.create()
    events = read_events(tmp_path / "out")
    refused = {event["correlation_id"]: event for event in events if event["event"] == "refused"}
    asked = [(event["method"], event["path"], event["role"]) for event in events if event["event"] == "asked"]

    for answer in attacks:
        event = refused[answer.headers["x-correlation-id"]]
        assert (event["status"], event.get("slug", answer.slug)) == (answer.status, answer.slug)
        assert answer.status >= 400
    assert len(attacks) == len(refused) == 12
    assert ("POST", "/api/v1/data-sources", "ADMIN") in asked
    assert (events[0]["event"], events[0]["guards"]) == ("started", ["sqlguard"])
    text = json.dumps(events)
    assert not [secret for secret in (CANARY, CANARY[-8:], CREDENTIAL_KEY, *TOKENS.values()) if secret in text]
    assert len({event["token"] for event in events if event.get("token")}) == 3
    assert job not in text


def test_nothing_is_done_that_cannot_be_written_down(shop_file: str, tmp_path: Path) -> None:
    """When the trail's file is gone, requests that change or extract are refused, and looking still works."""
    with running(build_spec(shop_file, tmp_path / "out", connector="sqlite"), tmp_path) as bench:
        job = bench.create()
        (path,) = (tmp_path / "out" / AUDIT_FOLDER).glob("trail-*.jsonl")
        path.unlink()
        answers = [
            bench.call("POST", f"/extractions/{job}/start"),
            bench.call("POST", "/extractions", {"source": "main", "table": "bench_rows"}),
            bench.call("DELETE", "/data-sources/main"),
        ]
        state = bench.call("GET", f"/extractions/{job}").body["state"]
        still_refused = bench.call("GET", "/extractions", role=None).status

    assert [(answer.status, answer.slug) for answer in answers] == [(503, "audit")] * 3
    assert (state, still_refused) == ("PENDING", 401)
    assert not (tmp_path / "out" / job).exists()
    assert CANARY not in (tmp_path / "service.log").read_text()


def test_what_is_refused_to_a_job_that_runs_is_written_down(shop_file: str, tmp_path: Path) -> None:
    """A guard that changed its mind after the request was answered: with the job, its source and the reason, and no value."""
    spec = build_spec(shop_file, tmp_path / "out", connector="sqlite")
    spec = replace(spec, plugins=("jivsbench.testing.breaking_guard",))
    body = {"source": "main", "table": "rows_guard_breaks_later"}
    body["filters"] = [{"column": "id", "operator": "=", "values": [CANARY]}]
    with running(spec, tmp_path) as bench:
        job = bench.call("POST", "/extractions", body).body["id"]
        bench.call("POST", f"/extractions/{job}/start")
        ended = bench.call("GET", f"/extractions/{job}?wait_s=10").body
    refused = [event for event in read_events(tmp_path / "out") if event["event"] == "refused"]

    assert (ended["state"], ended["error"]["slug"]) == ("FAILED", "guard-refused")
    (event,) = refused
    assert (event["job"], event["source"], event["slug"]) == (job, "main", "guard-refused")
    assert event["detail"] == ended["error"]["message"]
    assert CANARY not in json.dumps(event)


def test_a_destination_that_a_job_may_not_reach_is_written_down(shop_file: str, tmp_path: Path) -> None:
    """It was allowed when the job was made, and leads elsewhere now."""
    place = tmp_path / "shop.db"
    place.touch()
    spec = replace(build_spec(shop_file, tmp_path / "out", connector="sqlite"), sources=(), destinations=(str(tmp_path),))
    with running(spec, tmp_path) as bench:
        added = bench.call("POST", "/data-sources", {"name": "shop", "connector": "sqlite", "url": f"sqlite:///{place}"})
        job = bench.call("POST", "/extractions", {"source": "shop", "table": "bench_rows"}).body["id"]
        place.unlink()
        place.symlink_to("/etc/passwd")
        bench.call("POST", f"/extractions/{job}/start")
        ended = bench.call("GET", f"/extractions/{job}?wait_s=10").body
    refused = [event for event in read_events(tmp_path / "out") if event["event"] == "refused"]

    assert added.status == 201
    assert ended["error"]["slug"] == "destination"
    assert [(event["job"], event["slug"]) for event in refused] == [(job, "destination")]
