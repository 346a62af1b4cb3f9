"""Pages come each once and all of them, or the extraction fails; what an API does wrong is told, and nothing is guessed."""

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
import trustme

from jivsbench.api import ReadLimits
from jivsbench.errors import (
    AccessDeniedError,
    CancelledJobError,
    ConfigError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
    TypePolicyError,
)
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import Consistency, ExtractionRequest, Filter, Operator, TableName
from jivsbench_rest.connection import RestConnection
from jivsbench_rest.connector import RestConnector
from jivsbench_rest.exchange import read_reset, read_retry_after
from jivsbench_rest.paging import find_next_link
from tests.contract.json_api import Handler, JsonApi

LIMITS = ReadLimits(connect_timeout_s=2.0, query_timeout_s=5.0, batch_rows=10)
WHOLE = ExtractionRequest("test", TableName("things"))
CURSOR = "paging=cursor&records=data&cursor=next&total=total&page_size=20"
PAGINGS = {
    "cursor": CURSOR,
    "page": "paging=page&records=data&page_size=20&total=header:X-Total-Count",
    "page without total": "paging=page&records=data&page_size=20",
    "offset": "paging=offset&records=data&page_size=20&total=total",
    "offset without total": "paging=offset&records=data&page_size=20",
    "link": "paging=link&records=data&page_size=20&total=total",
    "none": "records=data&total=total",
}
Opener = Callable[..., RestConnection]


@pytest.fixture
def api() -> Iterator[JsonApi]:
    """An API with 95 things."""
    with JsonApi() as api:
        api.resources["things"] = [{"id": number, "name": f"thing {number}"} for number in range(95)]
        yield api


@pytest.fixture
def open_session(api: JsonApi) -> Iterator[Opener]:
    """Opens sessions that are closed after the test."""
    opened: list[RestConnection] = []

    def open_one(options: str = CURSOR, policy: TypePolicy = TypePolicy.ERROR, limits: ReadLimits = LIMITS) -> RestConnection:
        url = f"rest+http://:{api.token}@127.0.0.1:{api.port}/v1?{options}"
        opened.append(RestConnector().connect(DataSource("test", "rest", Secret(url), policy), limits))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


def read(session: RestConnection, request: ExtractionRequest = WHOLE) -> pa.Table:
    """All rows; a count, where there is one, must agree."""
    session.begin()
    schema = session.schema(request)
    (partition,) = session.partitions(request, schema, 4)
    rows = pa.Table.from_batches(session.read(partition), schema.to_arrow())
    assert session.fingerprint(partition).row_count in (None, rows.num_rows)
    return rows


def answering(status: int, body: bytes = b"{}", kind: str = "application/json", **headers: str) -> Callable[[Handler], bool]:
    """A fault: another answer."""

    def answer(handler: Handler) -> bool:
        handler.reply(status, body, {name.replace("_", "-"): text for name, text in headers.items()}, kind)
        return True

    return answer


def changing(change: Callable[[dict], None]) -> Callable[[Handler], bool]:
    """A fault: the usual answer with something changed in it."""

    def answer(handler: Handler) -> bool:
        status, body, headers = handler.answer()
        document = json.loads(body)
        change(document)
        handler.reply(status, json.dumps(document).encode(), headers)
        return True

    return answer


def usual(_handler: Handler) -> bool:
    """No fault."""
    return False


@pytest.mark.parametrize("options", PAGINGS.values(), ids=PAGINGS)
@pytest.mark.parametrize("largest_page", [1000, 7])
def test_every_record_comes_once(api: JsonApi, open_session: Opener, options: str, largest_page: int) -> None:
    """By every way of paging, also when the API's pages are smaller than what is asked for."""
    if largest_page == 7 and "paging" not in options:
        pytest.skip("an API without pages gives all at once")
    api.largest_page = largest_page

    assert sorted(read(open_session(options))["id"].to_pylist()) == list(range(95))


@pytest.mark.parametrize("count", [0, 1, 20, 40])
@pytest.mark.parametrize("options", PAGINGS.values(), ids=PAGINGS)
def test_the_last_page_may_be_full_or_empty(api: JsonApi, open_session: Opener, options: str, count: int) -> None:
    """Neither is a reason to ask for ever, nor to stop early."""
    api.resources["things"] = api.resources["things"][:count]

    assert read(open_session(f"{options}&columns=id:int64")).num_rows == count


def test_a_lost_page_is_found_by_the_total(api: JsonApi, open_session: Opener) -> None:
    """The API skips twenty records in silence; with a filter too, where nobody else could count."""

    def skip(document: dict) -> None:
        document["next"] = str(int(document["next"]) + 20)

    for request in (WHOLE, ExtractionRequest("test", TableName("things"), filters=(Filter("id", Operator.LESS, (50,)),))):
        api.faults = [usual, usual, changing(skip)]

        with pytest.raises(ExtractionError, match="95 records by its own total, and 75 came"):
            read(open_session(f"{CURSOR}&columns=id:int64"), request)


def test_a_lost_page_is_found_by_the_count_of_an_extraction(api: JsonApi, open_session: Opener) -> None:
    """A link that is missing ends the pages early."""
    api.faults = [usual, usual, lambda handler: not handler.reply(200, handler.answer()[1])]

    with pytest.raises(ExtractionError, match="by its own total"):
        read(open_session(f"{PAGINGS['link']}&columns=id:int64"))


def test_a_repeated_page_is_refused(api: JsonApi, open_session: Opener) -> None:
    """Without a total too: the same records under another cursor, and an API that ignores the page that is asked for."""

    def repeat(handler: Handler) -> bool:
        handler.path = "/v1/things?limit=20&page=1"
        return False

    api.faults = [usual, repeat, repeat]

    with pytest.raises(ExtractionError, match="holds the same records as an earlier one"):
        read(open_session(PAGINGS["page without total"]))


@pytest.mark.parametrize("options", [CURSOR, CURSOR.replace("&total=total", "")])
def test_a_circle_is_left(api: JsonApi, open_session: Opener, options: str) -> None:
    """The same cursor twice."""
    api.faults = [usual, usual, changing(lambda document: document.update(next="20", data=[{"id": 1000, "name": "new"}]))]

    with pytest.raises(ExtractionError, match="goes in a circle"):
        read(open_session(options))


def test_pages_without_end_are_ended(api: JsonApi, open_session: Opener) -> None:
    """An API that always has another page, each a new one."""
    numbers = iter(range(10**6))
    api.faults = [changing(lambda d: d.update(next=str(next(numbers)), data=[{"id": next(numbers)}]))] * 100

    with pytest.raises(ExtractionError, match="more than 30 pages: raise max_pages"):
        read(open_session("paging=cursor&records=data&cursor=next&max_pages=30"))


def test_a_misspelt_cursor_does_not_end_the_pages(open_session: Opener) -> None:
    """Else the first page would look like all of them."""
    with pytest.raises(ExtractionError, match=r"no cursor at 'meta\.next'"):
        read(open_session("paging=cursor&records=data&cursor=meta.next"))


@pytest.mark.parametrize(
    "fault", [answering(500), answering(503), answering(429, retry_after="1"), answering(503, retry_after="0"), "reset", "cut"]
)
def test_what_passes_is_asked_again(api: JsonApi, open_session: Opener, fault) -> None:
    """Server errors, too many requests, a connection that breaks before or within an answer: no page is lost or doubled."""

    def reset(handler: Handler) -> bool:
        handler.close_connection = True
        if fault == "cut":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n" + b" " * 100)
        return True

    session = open_session(f"{CURSOR}&columns=id:int64")
    api.faults = [usual, usual, reset if isinstance(fault, str) else fault]

    assert read(session).num_rows == 95
    assert len(api.asked) == 1 + 5 + 1


def test_a_server_that_stays_broken_is_given_up(api: JsonApi, open_session: Opener) -> None:
    """Five times, then it is told."""
    session = open_session(f"{CURSOR}&columns=id:int64", limits=ReadLimits(query_timeout_s=20))
    api.faults = [answering(502)] * 20

    with pytest.raises(SourceUnreachableError, match="it answered 502, 5 times"):
        read(session)
    assert len(api.asked) == 5


@pytest.mark.parametrize(
    "fault", [answering(429, retry_after="3600"), answering(200, b"[]", X_RateLimit_Remaining="0", X_RateLimit_Reset="600")]
)
def test_a_wait_that_would_be_too_long_is_not_begun(api: JsonApi, open_session: Opener, fault) -> None:
    """The deadline is told at once."""
    session = open_session("paging=offset&columns=id:int64")
    api.faults = [fault, usual]
    started = time.monotonic()

    with pytest.raises(DeadlineError, match="would end too late"):
        read(session)
    assert time.monotonic() - started < 2


def test_a_used_up_rate_is_waited_for(api: JsonApi, open_session: Opener) -> None:
    """No request is sent before the moment that the API names."""
    api.extra_headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
    started = time.monotonic()

    assert read(open_session("paging=page&records=data&page_size=60&total=total")).num_rows == 95
    assert time.monotonic() - started > 0.9


def test_a_hung_server_is_left_at_the_deadline(api: JsonApi, open_session: Opener) -> None:
    """Whether it sends nothing, or a byte now and then."""
    released = threading.Event()

    def drip(handler: Handler) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n")
        while not released.wait(0.1):
            handler.wfile.write(b" ")
            handler.wfile.flush()
        handler.close_connection = True
        return True

    def hang(handler: Handler) -> bool:
        handler.close_connection = True
        return released.wait(20)

    for fault in (drip, hang):
        session = open_session("records=data", limits=ReadLimits(connect_timeout_s=1, query_timeout_s=1.0))
        api.faults = [fault] * 9
        started = time.monotonic()
        with pytest.raises(DeadlineError):
            read(session)
        assert time.monotonic() - started < 4
    released.set()


def test_a_hung_request_ends_when_it_is_cancelled(api: JsonApi, open_session: Opener) -> None:
    """From another thread, at once."""
    released = threading.Event()
    session = open_session("records=data", limits=ReadLimits(query_timeout_s=30))
    api.faults = [lambda _handler: released.wait(20)]
    threading.Timer(0.3, session.cancel).start()
    started = time.monotonic()

    with pytest.raises(CancelledJobError):
        read(session)
    assert time.monotonic() - started < 3
    released.set()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_never_follows_to_another_origin(api: JsonApi, open_session: Opener, status: int) -> None:
    """Neither by a redirect nor by a link: to another port, host or scheme, or to what only looks like the same host."""
    with JsonApi() as other:
        places = [
            f"http://127.0.0.1:{other.port}/v1/things",
            f"//127.0.0.1:{other.port}/x",
            f"http://localhost:{api.port}/x",
            f"https://127.0.0.1:{api.port}/x",
            f"http://127.0.0.1:{api.port}@127.0.0.1:{other.port}/x",
            "file:///etc/passwd",
            "",
        ]
        for place in places:
            api.faults = [answering(status, Location=place)]
            with pytest.raises(ExtractionError, match="refused: a token must not follow"):
                read(open_session())
            api.faults = [answering(200, b'[{"id": 1}]', Link=f'<{place}>; rel="next"')]
            if place:
                with pytest.raises(ExtractionError, match="refused: a token must not follow"):
                    read(open_session("paging=link"))

        assert other.asked == []


def test_a_redirect_within_the_origin_is_followed(api: JsonApi, open_session: Opener) -> None:
    """A path of the same host; a circle of them is left."""
    api.faults = [answering(307, Location="/v1/things")]

    assert read(open_session("records=data")).num_rows == 95
    api.faults = [answering(307, Location="/v1/things")] * 9
    with pytest.raises(ExtractionError, match="more than 5 times"):
        read(open_session("records=data"))


def test_the_token_is_shown_nowhere(api: JsonApi, open_session: Opener, caplog: pytest.LogCaptureFixture) -> None:
    """It is sent in one header, and is in no path, message or log; when it expires in the middle, that is told."""
    caplog.set_level("DEBUG")
    session = open_session()
    read(session)
    api.faults = [usual, usual, lambda handler: handler.reply(401, b"{}") is None]

    with pytest.raises(AccessDeniedError, match="has expired") as caught:
        read(session)

    assert api.headers[0]["Authorization"] == f"Bearer {api.token}"
    assert not any(api.token in text for text in [*api.asked, caplog.text, str(caught.value), repr(vars(session))])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (answering(200, b"<html>", "text/html"), "no JSON"),
        (answering(200, b'{"data": ['), "not valid JSON"),
        (answering(200, b'{"data": [{"a": 1, "a": 2}]}'), "same key twice"),
        (answering(200, b'{"data": [{"a": NaN}]}'), "NaN or Infinity"),
        (answering(200, b'{"data": [{"a": "\xff"}]}'), "not UTF-8"),
        (answering(200, b"[" * 100_000), "nested too deeply"),
        (answering(200, b'{"data": [1]}'), "no object"),
        (answering(200, b'{"items": []}'), "no list of records at 'data'"),
        (answering(200, b"not gzip", Content_Encoding="gzip"), "cannot be undone"),
        (answering(400, b"{}"), "status 400"),
        (answering(200, b" " * 200_000), "more than 100000 bytes"),
        (answering(200, gzip.compress(b" " * 100_000_000), Content_Encoding="gzip"), "more than 100000 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_is_wrong_is_refused(api: JsonApi, open_session: Opener, fault, words: str) -> None:
    """With the reason, and none of its content."""
    api.faults = [fault]

    with pytest.raises(ExtractionError, match=words):
        read(open_session("records=data&max_page_bytes=100000"))


def test_an_unknown_resource_is_told_as_one(open_session: Opener) -> None:
    """By the API's 404, by the URL's list, and for names that would leave the path."""
    for name, options in (
        ("nothing", "records=data"),
        ("nothing", "resources=things,others"),
        ("..", ""),
        ("a\nb", ""),
        ("../v1/things", ""),
    ):
        with pytest.raises(MissingObjectError):
            read(open_session(options), ExtractionRequest("test", TableName(name)))


def of(*values: object) -> list[dict[str, object]]:
    """Records with a column `v`."""
    return [{"v": value} for value in values]


@pytest.mark.parametrize(
    ("text", "arrow_type", "values"),
    [
        ('[{"v": 1}, {"v": null}]', pa.int64(), [1, None]),
        ('[{"v": 9223372036854775808}, {"v": 1}]', pa.string(), ["9223372036854775808", "1"]),
        ('[{"v": 0.1}, {"v": 12.30}, {"v": 7}]', pa.decimal128(4, 2), [Decimal("0.10"), Decimal("12.30"), Decimal("7.00")]),
        ('[{"v": 1e400}]', pa.string(), ["1E+400"]),
        ('[{"v": 0.1234567890123456789012345678901234567890}]', pa.string(), ["0.1234567890123456789012345678901234567890"]),
        ('[{"v": true}]', pa.bool_(), [True]),
        ('[{"v": "x"}, {"v": ""}]', pa.string(), ["x", ""]),
        ('[{"v": {"a": [1.10, "\\u00e4"]}}]', pa.string(), ['{"a":[1.10,"ä"]}']),
        ('[{"v": null}]', pa.string(), [None]),
    ],
)
def test_types_are_inferred_from_every_record(api: JsonApi, open_session: Opener, text: str, arrow_type, values) -> None:
    """So that no digit is lost and no type has to change; the pages are asked for once."""
    session = open_session("missing=null")
    api.faults = [answering(200, text.encode())]
    rows = read(session)

    assert rows.schema.field("v").type == arrow_type
    assert rows["v"].to_pylist() == values
    assert len(api.asked) == 1


def test_a_column_of_two_kinds_is_refused(api: JsonApi, open_session: Opener) -> None:
    """Naming resource, column and record; under `text` it is text, under `null` the first kind counts."""
    api.resources["things"] = [*of(1, 2), {"v": "three"}]

    with pytest.raises(TypePolicyError, match="'things': column 'v' of record 3 is string, before it integer"):
        read(open_session("records=data&page_size=1&paging=page"))
    assert read(open_session("records=data", TypePolicy.TEXT))["v"].to_pylist() == ["1", "2", "three"]
    assert read(open_session("records=data", TypePolicy.NULL))["v"].to_pylist() == [1, 2, None]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int64", 2**63),
        ("int64", "1"),
        ("int64", True),
        ("float64", 2**53 + 1),
        ("bool", 1),
        ("string", 1),
        ("decimal(4,1)", "1.25"),
        ("date", "2020-02-30"),
        ("timestamptz", "2020-01-01T00:00:00"),
        ("timestamp", "2020-01-01T00:00:00.1234567"),
        ("string", "\ud800"),
        ("decimal(4,1)", "1_0"),
        ("decimal(4,1)", "1e-77"),
    ],
)
def test_a_value_that_does_not_fit_its_declared_type_is_refused(
    api: JsonApi, open_session: Opener, kind: str, value: object
) -> None:
    """With the number of its record, and without the value; under `null` that value alone is NULL."""
    api.resources["things"] = of(None, value)

    with pytest.raises(TypePolicyError, match=r"column 'v' of record 2 holds a value"):
        read(open_session(f"records=data&columns=v:{kind}"))
    assert read(open_session(f"records=data&columns=v:{kind}", TypePolicy.NULL))["v"].to_pylist() == [None, None]


def test_a_key_that_is_no_text_is_refused(api: JsonApi, open_session: Opener) -> None:
    """With the record; within a value it is a value that does not fit."""
    for policy in TypePolicy:
        api.faults = [answering(200, b'[{"a": 1}, {"\\ud800": 1}]')]
        with pytest.raises(TypePolicyError, match="a key of record 2"):
            read(open_session("", policy))


@pytest.mark.parametrize("step", ["schema", "fingerprint", "consistency"])
def test_a_cancel_ends_every_step_that_asks(api: JsonApi, open_session: Opener, step: str) -> None:
    """Not the reading alone: a server may fall silent at any time; the session is as good as new after a reset."""
    session = open_session(f"{CURSOR}&columns=id:int64", limits=ReadLimits(2.0, 30.0, 10))
    session.begin()
    (partition,) = session.partitions(WHOLE, session.schema(WHOLE), 1)
    if step == "consistency":
        list(session.read(partition))
    asked = len(api.asked)
    is_over = threading.Event()
    api.faults = [lambda _handler: is_over.wait(20)]
    timer = threading.Timer(0.3, session.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(CancelledJobError):
        getattr(session, step)(partition if step == "fingerprint" else WHOLE)
    seconds = time.monotonic() - started
    is_over.set()
    timer.join()

    assert seconds < 1.3
    assert len(api.asked) == asked + 1
    session.reset()
    assert read(session).num_rows == 95


def test_a_forgotten_reader_of_kept_pages_is_told(open_session: Opener) -> None:
    """They went with the session that they were kept for."""
    session = open_session()
    schema = session.schema(WHOLE)
    forgotten = session.read(session.partitions(WHOLE, schema, 1)[0])
    next(forgotten)
    session.reset()

    with pytest.raises(ExtractionError, match="went to another reader"):
        list(forgotten)
    assert read(session).num_rows == 95


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y", "%A, %d-%b-%y %H:%M:%S GMT"])
def test_a_date_to_try_again_at_is_in_utc(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """In all three forms that HTTP allows, wherever this machine is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        found = read_retry_after((datetime.now(UTC) + timedelta(seconds=60)).strftime(form))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert found is not None
    assert 50 < found <= 60


def test_a_key_that_comes_later_is_not_left_out(api: JsonApi, open_session: Opener) -> None:
    """A schema that was made in an earlier session, as a cache gives it."""
    schema = open_session("records=data").schema(WHOLE)
    api.resources["things"].append({"id": 95, "name": "x", "colour": "red"})
    session = open_session("records=data")

    with pytest.raises(TypePolicyError, match="record 96 has a key that was not there"):
        list(session.read(session.partitions(WHOLE, schema, 1)[0]))


def test_only_declared_columns_have_a_version(api: JsonApi, open_session: Opener) -> None:
    """Those that are found in the records are those of these records, so no other job is given them from a cache."""
    declared, others = ("records=data&columns=id:int64", "records=data&columns=id:string")

    assert open_session("records=data").schema_version(WHOLE) is None
    assert open_session(declared).schema_version(WHOLE) == open_session(declared).schema_version(WHOLE) is not None
    assert open_session(declared).schema_version(WHOLE) != open_session(others).schema_version(WHOLE)
    assert api.asked == []


def test_a_link_may_hold_what_a_request_cannot(api: JsonApi, open_session: Opener) -> None:
    """Blanks and other letters are encoded; they reach the API as they are meant."""
    api.faults = [answering(200, b'[{"id": 1}]', Link='</v1/\u00e4 b?q=1 2>; rel="next"'), answering(200, b'[{"id": 2}]')]

    assert read(open_session("paging=link"))["id"].to_pylist() == [1, 2]
    assert api.asked[1] == "/v1/%C3%A4%20b?q=1%202"


def test_a_missing_key_is_not_null_unless_it_is_said_to_be(api: JsonApi, open_session: Opener) -> None:
    """The default names the record."""
    api.resources["things"] = [{"id": 1, "name": "x"}, {"id": 2}]

    with pytest.raises(TypePolicyError, match="record 2 has no key 'name'"):
        read(open_session("records=data"))
    assert read(open_session("records=data&missing=null"))["name"].to_pylist() == ["x", None]


def test_what_was_kept_is_told(api: JsonApi, open_session: Opener) -> None:
    """Unchanged by an ETag of the only page or by a version on all pages; a total alone says nothing of replaced rows."""
    cases = [
        ("records=data", {}, Consistency.NONE),
        ("records=data", {"ETag": '"1"'}, Consistency.UNCHANGED),
        (CURSOR, {"ETag": '"1"'}, Consistency.NONE),
        (f"{CURSOR}&version=X-Version", {"X-Version": "7"}, Consistency.UNCHANGED),
    ]
    for options, headers, expected in cases:
        api.extra_headers = headers
        session = open_session(options)
        read(session)

        assert session.consistency(WHOLE) is expected


def test_a_resource_that_changed_is_refused(api: JsonApi, open_session: Opener) -> None:
    """By its ETag, its version or its total, after the last page or between two."""
    for options, header in (("records=data", "ETag"), (f"{CURSOR}&version=X-Version", "X-Version"), (CURSOR, "X-Nothing")):
        api.extra_headers = {header: "1"}
        session = open_session(options)
        read(session)
        api.extra_headers = {header: "2"}
        api.resources["things"].append({"id": 1000, "name": "late"})
        with pytest.raises(ExtractionError, match="changed while it was read"):
            session.consistency(WHOLE)

    api.faults = [usual, changing(lambda document: document.update(total=1))]
    with pytest.raises(ExtractionError, match="changed while it was read"):
        read(open_session())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<https://a/x?p=2>; rel="next"', "https://a/x?p=2"),
        ('</a,b>; rel=prev, </c;d>; title="rel=\\"next\\", no"; REL="last NEXT"', "/c;d"),
        ('</x>; title="a; rel=prev"; rel="next"', "/x"),
        ('</x>; title="a; rel=next"; rel="prev", </y>; rel = next', "/y"),
        ("</x>; rel=nextpage", None),
        ("", None),
        ("</x>; title=next", None),
    ],
)
def test_a_link_header_is_read_as_its_standard_says(header: str, expected: str | None) -> None:
    """Several relations, quoted commas, any case."""
    assert find_next_link(header) == expected


@pytest.mark.parametrize(
    "url",
    [
        "rest+http://:s3cr3t@example.com/v1",
        "rest+http://s3cr3t@example.com/v1",
        "rest+https://:s3#cr3t@example.com/",
        "rest+https://:s3/cr3t@example.com/",
        "rest+https://:x@example.com/?token=s3cr3t",
        "rest+https://:s3cr3t@example.com/?paging=sometimes",
        "rest+https://:s3cr3t@example.com/?columns=a:varchar",
        "rest+https://:s3cr3t@example.com/?page_size=0",
        "rest+https://:s3cr3t@example.com/?missing=maybe",
        "rest+https://:s3%0Acr3t@example.com/",
        "rest+https:///v1",
    ],
)
def test_a_url_that_is_not_plain_is_refused_without_its_token(url: str) -> None:
    """A token is never sent in the clear, but to this machine; options that do not exist are none."""
    with pytest.raises(ConfigError) as caught:
        RestConnector().connect(DataSource("test", "rest", Secret(url)), LIMITS)
    assert "cr3t" not in str(caught.value)


def test_a_certificate_is_verified(tmp_path) -> None:
    """Of a stranger it is refused, before the token is sent; of a named authority it is accepted."""
    authority = trustme.CA()
    ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(ssl_context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with JsonApi() as api:
        api.resources["things"] = [{"id": 1}]
        api.use_tls(ssl_context)
        url = f"rest+https://:{api.token}@localhost:{api.port}/v1?records=data"

        with pytest.raises(SourceUnreachableError, match="no certificate that this machine trusts"):
            RestConnector().connect(DataSource("test", "rest", Secret(url)), LIMITS)
        assert api.asked == []
        session = RestConnector().connect(DataSource("test", "rest", Secret(f"{url}&ca_file={tmp_path}/ca.pem")), LIMITS)
        assert read(session).num_rows == 1
        session.close()


def test_nobody_there_is_told_in_time() -> None:
    """A port that refuses, and a host that never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(0)
        url = f"rest+http://127.0.0.1:{taken.getsockname()[1]}/"
        session = RestConnector().connect(DataSource("test", "rest", Secret(url)), ReadLimits(1.0, 1.0))
        with pytest.raises(JivsbenchError):
            read(session)
        session.close()


@pytest.mark.parametrize(("reset", "wait_s"), [(30, 30.0), (1_900_000_030, 30.0), (1_900_000_030_000, 30.0)])
def test_a_rate_limit_ends_at_the_moment_that_is_meant(reset, wait_s):
    """Seconds from now, Unix seconds, Unix milliseconds: APIs send all three."""
    assert read_reset(reset, 1_900_000_000.0) == wait_s
