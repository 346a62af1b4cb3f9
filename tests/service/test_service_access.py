"""Who may call what, what the problems look like, and what the OpenAPI document promises."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from jivsbench.errors import ConfigError
from jivsbench.plugins import load_registry
from jivsbench.service.auth import Authority, Role
from jivsbench.service.launcher import start_service
from jivsbench.service.spec import TokenSpec
from tests.service.service_bench import OTHERS, TOKENS, Bench, build_spec

NOBODY = "00000000-0000-4000-8000-000000000000"
JOB = {"source": "main", "table": "bench_rows"}
SOURCE = {"connector": "postgres", "url": "postgresql://u@127.0.0.1:1/x"}
# Method, path, body, the role that is needed, and what a token of that role gets.
ROUTES = [
    ("POST", "/extractions", JOB, Role.DATA_ENGINEER, 201),
    ("POST", f"/extractions/{NOBODY}/start", None, Role.DATA_ENGINEER, 404),
    ("POST", f"/extractions/{NOBODY}/stop", None, Role.DATA_ENGINEER, 404),
    ("GET", "/extractions", None, Role.VIEWER, 200),
    ("GET", f"/extractions/{NOBODY}", None, Role.VIEWER, 404),
    ("GET", f"/extractions/{NOBODY}/statistics", None, Role.VIEWER, 404),
    ("GET", f"/extractions/{NOBODY}/logs", None, Role.VIEWER, 404),
    ("GET", "/data-sources", None, Role.VIEWER, 200),
    ("GET", "/data-sources/main", None, Role.VIEWER, 200),
    ("POST", "/data-sources/main/test", None, Role.DATA_ENGINEER, 200),
    ("POST", "/data-sources", {"name": "main", **SOURCE}, Role.ADMIN, 409),
    ("PUT", "/data-sources/nowhere", SOURCE, Role.ADMIN, 404),
    ("DELETE", "/data-sources/nowhere", None, Role.ADMIN, 404),
    ("GET", "/profile", None, Role.VIEWER, 200),
    ("GET", "//metrics", None, Role.VIEWER, 200),
]


@pytest.mark.parametrize("role", [*Role, None], ids=str)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route[:2]))
def test_every_route_asks_for_its_role(bench: Bench, route, role) -> None:
    """No token: 401. A role below: 403. The role and those above: what the route answers."""
    method, path, body, needed, status = route
    answer = bench.call(method, path, body, role=role)

    if role is None:
        assert (answer.status, answer.slug, answer.headers["www-authenticate"]) == (401, "unauthorized", "Bearer")
    elif not role.includes(needed):
        assert (answer.status, answer.slug) == (403, "forbidden")
    else:
        assert answer.status == status


def test_every_route_is_in_the_matrix(bench: Bench) -> None:
    """A route that is added without a row above is noticed."""
    document = bench.call("GET", "/openapi.json", role=None).body
    documented = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    names = {NOBODY: "{job_id}", "/main": "/{name}", "/nowhere": "/{name}"}
    tested = set()
    for method, path, *_ in ROUTES:
        full = path[1:] if path.startswith("//") else f"/api/v1{path}"
        for text, parameter in names.items():
            full = full.replace(text, parameter)
        tested.add((method, full))

    assert documented - tested == {("GET", "/health"), ("GET", "/ready")}


@pytest.mark.parametrize(
    "header",
    [
        *("", "Bearer", "Bearer wrong-token-0123456789", "Basic dTpw"),
        # Tokens are random: each worker has others.
        pytest.param(f"bearer  {TOKENS[Role.ADMIN]}x", id="one letter more"),
    ],
)
def test_a_wrong_token_is_no_token(bench: Bench, header) -> None:
    """401 whatever it looks like, and the problem does not repeat it."""
    answer = bench.call("GET", "/extractions", role=None, headers={"Authorization": header})

    assert answer.status == 401
    assert "wrong-token" not in str(answer.body)


def test_health_and_readiness_need_no_token(bench: Bench) -> None:
    """Supervisors have none."""
    assert bench.call("GET", "//health", role=None).body == {"status": "ok"}
    assert bench.call("GET", "//ready", role=None).body == {"status": "ok"}


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ((), "no token"),
        ((("short", Role.ADMIN),), "16"),
        ((("x7Kq9-Zr2Wm5tB8v", Role.ADMIN), ("x7Kq9-Zr2Wm5tB8v", Role.VIEWER)), "the same"),
        ((("changeme-changeme-1234", Role.ADMIN),), "guessed"),
    ],
)
def test_bad_tokens_are_refused(tokens, words) -> None:
    """None at all, a short one, and one with two roles; the message repeats none."""
    with pytest.raises(ConfigError, match=words) as caught:
        Authority(tokens)

    assert not any(token in str(caught.value) for token, _ in tokens)


def test_a_short_token_stops_the_start(tmp_path: Path) -> None:
    """The parent gets the error that the child met."""
    spec = build_spec("postgresql://u@127.0.0.1:1/x", tmp_path / "out", tokens=(TokenSpec("short", Role.ADMIN),))

    with pytest.raises(ConfigError, match="16"):
        start_service(spec, tmp_path / "log")


REFUSALS = [
    ("GET", "/nothing-here", None, 404, "not-found"),
    ("GET", "//nothing-here", None, 404, "not-found"),
    ("DELETE", "/extractions", None, 405, "method-not-allowed"),
    ("GET", f"/extractions/{NOBODY}", None, 404, "unknown-job"),
    ("GET", "/extractions/..%2Fetc", None, 404, "not-found"),
    ("GET", "/extractions/canary-id", None, 422, "validation"),
    ("GET", f"/extractions/{NOBODY}?wait_s=31", None, 422, "validation"),
    ("GET", "/extractions?status=canary", None, 422, "validation"),
    ("GET", "/extractions?size=0", None, 422, "validation"),
    ("GET", "/data-sources/canary", None, 404, "unknown-name"),
    ("POST", "/extractions", b"{canary", 422, "validation"),
    ("POST", "/extractions", b'"\\ud800canary"', 422, "validation"),
    ("POST", "/extractions", {"source": "canary", "table": "t"}, 422, "unknown-name"),
    ("POST", "/extractions", {"source": "main"}, 422, "validation"),
    ("POST", "/extractions", {"source": "main", "table": "t", "query": "canary"}, 422, "validation"),
    ("POST", "/extractions", {**JOB, "canary": 1}, 422, "validation"),
    ("POST", "/extractions", {**JOB, "row_limit": 0}, 422, "validation"),
    ("POST", "/extractions", {**JOB, "filters": [{"column": "id", "operator": "canary"}]}, 422, "validation"),
    (
        "POST",
        "/extractions",
        {**JOB, "filters": [{"column": "id", "operator": "=", "values": ["canary", 1]}]},
        422,
        "validation",
    ),
    (
        "POST",
        "/extractions",
        b'{"source":"main","table":"t","filters":[{"column":"c","operator":"=","values":[NaN]}]}',
        422,
        "validation",
    ),
    ("POST", "/extractions", {"source": "main", "query": "DROP TABLE canary"}, 422, "guard-refused"),
    ("POST", "/extractions", {"source": "main", "query": "SELECT pg_read_file('canary')"}, 422, "guard-refused"),
    ("POST", "/extractions", b"x" * (1 << 20) + b"canary", 413, "body-too-large"),
    ("POST", "/data-sources", {"name": "x", "connector": "canary", "url": "a:b"}, 422, "unknown-name"),
    ("POST", "/data-sources", {"name": "x", "connector": "postgres", "url": "mysql://canary"}, 422, "unknown-name"),
    ("POST", "/data-sources", {"name": "canary/..", "connector": "postgres", "url": "a:b"}, 422, "validation"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{' '.join(refusal[:2])} {refusal[-1]}")
def test_every_refusal_is_a_problem(bench: Bench, refusal) -> None:
    """RFC 9457 with a correlation id; what was sent is not repeated."""
    method, path, body, status, slug = refusal
    answer = bench.call(method, path, body)

    assert (answer.status, answer.slug) == (status, slug), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.body) == {"type", "title", "status", "detail", "slug", "correlation_id"}
    assert answer.body["type"] == f"urn:jivsbench:message:{slug}"
    assert (answer.body["status"], answer.body["correlation_id"]) == (status, answer.headers["x-correlation-id"])
    assert "canary" not in str(answer.body)


def test_a_misspelt_source_gets_the_nearest_name(bench: Bench) -> None:
    """`mian` is told of `main`."""
    detail = bench.call("POST", "/extractions", {"source": "mian", "table": "t"}).body["detail"]

    assert "did you mean 'main'?" in detail
    assert "mian" not in detail


def test_the_correlation_id_is_the_callers_or_a_new_one(bench: Bench) -> None:
    """A sound one comes back, also in the log of a refusal; one that could forge a log line is replaced."""
    kept = bench.call("GET", "/nothing", headers={"X-Correlation-ID": "order-4711.a_b"})
    forged = bench.call("GET", "/nothing", role=None, headers={"X-Correlation-ID": "x" * 65})

    assert kept.body["correlation_id"] == "order-4711.a_b"
    assert re.fullmatch("[0-9a-f]{32}", forged.body["correlation_id"])
    lines = [json.loads(line) for line in bench.log.read_text().splitlines()]
    refusals = [line for line in lines if line.get("correlation_id") == forged.body["correlation_id"]]
    assert [(line["level"], line["path"]) for line in refusals] == [("WARNING", "/api/v1/nothing")]


def test_answers_are_not_kept_or_guessed_at(bench: Bench) -> None:
    """No cache keeps them, no browser guesses their type, no server is named."""
    headers = bench.call("GET", "/profile").headers

    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "server" not in headers


def test_the_openapi_document_is_sound(bench: Bench) -> None:
    """Every reference resolves, every operation has its own id and says what it needs, every example fits its schema."""
    document = bench.call("GET", "/openapi.json", role=None).body
    operations = {
        (path, method): operation for path, methods in document["paths"].items() for method, operation in methods.items()
    }

    assert document["openapi"].startswith("3.1")
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations) == 17
    assert {path for (path, _), operation in operations.items() if operation.get("security") == []} == {"/health", "/ready"}
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for reference in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]
    examples = 0
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
        for example in schema.get("examples", ()):
            jsonschema.validate(example, {**schema, "components": document["components"]})
            examples += 1
    assert examples == 5
    for (path, _), operation in operations.items():
        assert path in {"/health", "/ready"} or operation["responses"]["401"]["content"]["application/problem+json"]


def test_the_profile_names_the_guards_in_force(bench: Bench) -> None:
    """What really guards, not what was configured."""
    body = bench.call("GET", "/profile", role=Role.VIEWER).body

    assert body["name"] == "optimized"
    assert body["guards"] == [guard.name for guard in load_registry(disabled=OTHERS["postgres"]).guards] != []
    assert body["switches"]["streams"] == 4
