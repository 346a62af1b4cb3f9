"""Result files of other tools.

The Locust files were written by Locust 2.47 in a run of 12 s against a small server. Those of k6, Gatling and JMeter were laid
out by hand after the formats that these tools document: the layout is theirs, the figures are made up, and consistent.
"""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from jivsbench.analysis.contradictions import audit_claims
from jivsbench.config.mappings import load_mapping
from jivsbench.errors import ConfigError, UnknownNameError
from jivsbench.model.claims import Rule, join_audits
from jivsbench.results import read_claims
from jivsbench.results.written import parse_number

FILES = Path(__file__).parent / "result_files"
_NUMBER = re.compile(r"(?<![\w.%-])\d+(?:\.\d+)?(?![\w.])")
NAMES = sorted(path.name for path in FILES.iterdir())


def audit(path: Path, mapping: Path | None = None):
    """Every relation of a file, tried."""
    return join_audits(map(audit_claims, read_claims(path, load_mapping(mapping) if mapping else None)))


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_file_raises_nothing(name):
    """Rounded, cut off, approximated: what the tools do to their own figures is no contradiction."""
    found = audit(FILES / name)

    assert found.relations
    assert [relation.arithmetic for relation in found.contradictions] == []


@pytest.mark.parametrize(
    ("name", "before", "after", "rule"),
    [
        ("k6_handle_summary.json", '"rate": 9.958374}', '"rate": 99.58374}', Rule.RATE),
        ("k6_handle_summary.json", '"p(95)<500": {"ok": true}', '"p(95)<300": {"ok": true}', Rule.MET),
        ("k6_handle_summary.json", '"rate": 0.016666666666666666', '"rate": 0.0016666', Rule.ERROR_RATIO),
        ("k6_handle_summary.json", '"rate": 0.016666666666666666', '"rate": 1.6666', Rule.PERCENT),
        ("k6_handle_summary.json", '"p(95)": 341.15', '"p(95)": 241.15', Rule.PARTS),
        (
            "k6_handle_summary.json",
            '"vus_max": {"type": "gauge", "contains": "default", "values": {"value": 10, "min": 10, "max": 10}}',
            '"vus_max": {"values": {"value": 5, "min": 5, "max": 5}}',
            Rule.LITTLE,
        ),
        ("k6_handle_summary.json", '"state": {', '"simulated": true, "state": {', Rule.PROVENANCE),
        ("k6_summary_export.json", '"p(95)<500": false', '"p(95)<300": false', Rule.MET),
        ("k6_summary_export.json", '"iterations": {"count": 300', '"iterations": {"count": 3000', Rule.RATE),
        ("locust_stats.csv", ",Aggregated,621,29,", ",Aggregated,721,29,", Rule.SUMS),
        ("locust_stats.csv", ",Aggregated,621,29,45,90.7", ",Aggregated,621,29,45,40.7", Rule.PARTS),
        ("locust_stats.csv", "300,360,410,430,570,570,570\n", "300,900,910,930,970,970,970\n", Rule.PARTS),
        ("locust_stats.csv", "GET,/rows,396", "GET,/rows,398", Rule.RATE),
        ("locust.json", '"num_requests": 418', '"num_requests": 500', Rule.SUMS),
        ("gatling_stats.json", '"ko": "9"', '"ko": "90"', Rule.SUMS),
        ("gatling_stats.json", '"percentage": 1', '"percentage": 11', Rule.ERROR_RATIO),
        ("gatling_stats.js", '"total": "1000"', '"total": "1100"', Rule.SUMS),
        ("jmeter_statistics.json", '"errorCount": ', '"errorCount": 1', Rule.ERROR_RATIO),
        ("jmeter_aggregate.csv", "TOTAL,200,", "TOTAL,260,", Rule.SUMS),
        ("jmeter_log.csv", ",5,5,http", ",1,1,http", Rule.LITTLE),
    ],
)
def test_a_planted_fault_is_found(tmp_path, name, before, after, rule):
    """One figure of an honest file is changed; the rule that it breaks is named."""
    text = (FILES / name).read_text()
    (tmp_path / name).write_text(text.replace(before, after))

    assert before in text
    found = {relation.rule for relation in audit(tmp_path / name).contradictions}
    assert rule in found


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("jmeter_log.csv", "locust.json", "locust_stats_history.csv")]
)
def test_what_cannot_fail_is_not_counted_as_checked(tmp_path, name):
    """Every relation that a file has is broken by some change of one of its numbers: none agrees whatever the file says."""
    text = (FILES / name).read_text()
    numbers = list(_NUMBER.finditer(text))
    broken = set()
    for number in numbers:
        for other in (f"{0:.{len(number[0].partition('.')[2])}f}", str(int(float(number[0])) + 10_000_000)):
            (tmp_path / name).write_text(text[: number.start()] + other + text[number.end() :])
            with suppress(ConfigError):
                broken |= {_name(relation) for relation in audit(tmp_path / name).contradictions}

    assert {_name(relation) for relation in audit(FILES / name).relations} - broken == set()


def _name(relation):
    return relation.rule, relation.part, re.sub(r"\d+(?:\.\d+)?(?:e[+-]\d+)?", "#", relation.arithmetic)


def test_a_ratio_of_k6_is_as_exact_as_it_is_short(tmp_path):
    """`1` is 1 there, and no rounded figure that every share would agree with: 1,000 of 1,000 failed is above 1 %."""
    failed = {"rate": 1, "passes": 1000, "fails": 0, "thresholds": {"rate<0.01": {"ok": True}}}
    checks = {"rate": 0, "passes": 900, "fails": 100}
    metrics = {name: {"values": values, "thresholds": values.pop("thresholds", {})} for name, values in (
        ("http_req_failed", failed), ("checks", checks)
    )}  # fmt: skip
    (tmp_path / "k6.json").write_text(json.dumps({"metrics": metrics}))

    found = {(relation.rule, relation.part) for relation in audit(tmp_path / "k6.json").contradictions}

    assert found == {(Rule.MET, "http_req_failed: rate<0.01"), (Rule.ERROR_RATIO, "checks")}


@pytest.mark.parametrize(("written", "tried"), [("0", False), ("1", False), ("0.0", True), ("1.0", True), ("73", True)])
def test_a_fraction_without_a_digit_proves_nothing(tmp_path, written, tried):
    """Every share lies within one unit of 0 and of 1: no relation agrees with it, and none counts. 73 is no fraction at all."""
    (tmp_path / "table.csv").write_text(f"requests,failed,errors\n1000,500,{written}\n")
    (tmp_path / "mapping.toml").write_text(
        'provenance = "measured"\n[columns]\ntried = "requests"\nfailed = "failed"\n'
        'error_ratio = { column = "errors", unit = "fraction" }\n'
    )
    found = audit(tmp_path / "table.csv", tmp_path / "mapping.toml")

    assert (found.count(Rule.ERROR_RATIO) + found.count(Rule.PERCENT) > 0) is tried
    assert bool(found.contradictions) is tried


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0,24 %", None), ("1,5", None), ("0,240", None), ("12,34,567", None), ("1234,567", None), (",5", None), ("5%5", None),
        ("1,234", 1234), ("-12,345,678.5", -12345678.5), ("1,234.5 %", 1234.5), ("24 %", 24),
    ],
)  # fmt: skip
def test_a_comma_parts_thousands_or_nothing(cell, value):
    """What stands for a decimal point elsewhere must not make a hundredfold of a figure."""
    assert parse_number(cell) == value


def test_events_without_a_time_are_in_no_average_of_locust(tmp_path):
    """They are counted, their own entry has 0 for every time, and the whole's average is that of the others."""
    head = (FILES / "locust_stats.csv").read_text().splitlines()[0]
    asked = "10,0,100,100.0,90,110,2.0,1.0,0.0,100,100,100,100,110,110,110,110,110,110,110"
    sent = "10,0,0,0.0,0,0,2.0,1.0,0.0,0,0,0,0,0,0,0,0,0,0,0"
    whole = "20,0,100,100.0,90,110,2.0,2.0,0.0,90,90,90,90,110,110,110,110,110,110,110"
    (tmp_path / "stats.csv").write_text(f"{head}\nGET,/a,{asked}\nWS,sent,{sent}\n,Aggregated,{whole}\n")
    (tmp_path / "wrong.csv").write_text(f"{head}\nGET,/a,{asked}\nWS,sent,{sent.replace('10', '11', 1)}\n,Aggregated,{whole}\n")

    assert audit(tmp_path / "stats.csv").contradictions == ()
    assert Rule.SUMS in {relation.rule for relation in audit(tmp_path / "wrong.csv").contradictions}


def test_a_log_of_samples_states_nothing_of_itself_but_how_long_they_took():
    """Counts and means of the same samples always agree: whether so much fits into the time is the only question."""
    rules = {(relation.rule, relation.part[:4]) for relation in audit(FILES / "jmeter_log.csv").relations}

    assert rules == {(Rule.LITTLE, "all "), (Rule.LITTLE, "GET "), (Rule.LITTLE, "POST"), (Rule.PARTS, "line")}


def test_a_sample_that_cannot_have_happened_is_named_by_its_line(tmp_path):
    """A first byte that came after the last one."""
    head, *lines = (FILES / "jmeter_log.csv").read_text().splitlines()
    cells = lines[7].split(",")
    cells[14] = "9999"
    (tmp_path / "log.csv").write_text("\n".join([head, *lines[:7], ",".join(cells), *lines[8:]]))

    (relation,) = audit(tmp_path / "log.csv").contradictions

    assert (relation.rule, relation.part) == (Rule.PARTS, "line 9")


@pytest.mark.parametrize("name", ["Login, step: 2", "{id: 5}", "open { here", "close } here", 'say \\"a: {\\"'])
def test_a_name_in_a_script_of_gatling_may_hold_any_sign(tmp_path, name):
    """Braces and colons within quotes are part of a name."""
    text = (FILES / "gatling_stats.js").read_text()
    (tmp_path / "stats.js").write_text(text.replace('name: "All Requests"', f'name: "{name}"'))

    assert name in (tmp_path / "stats.js").read_text()
    assert audit(tmp_path / "stats.js").relations
    assert audit(tmp_path / "stats.js").contradictions == ()


PUBLISHED = {
    "generated_by": "simulated load test",
    "after": {
        "minutes": 7,
        "records": 380000,
        "records_per_minute": 10000,
        "jobs": 83,
        "failed": 2,
        "error_percent": 0.24,
        "batches": 38,
        "batch_size": 1000,
        "polls": 83,
        "poll_s": 1,
        "active": 12,
        "pool": 10,
        "hits": 730,
        "misses": 280,
        "lookups": 1000,
        "hit_ratio": 73,
    },
    "gain": {"p95": 55.56, "goal": 56, "status": "MET"},
}
MAPPING = """
[columns]
duration_s = { column = "after.minutes", unit = "min" }
records = "after.records"
records_per_s = { column = "after.records_per_minute", unit = "per min" }
tried = "after.jobs"
failed = "after.failed"
error_ratio = { column = "after.error_percent", unit = "%" }
batches = "after.batches"
batch_size = "after.batch_size"
polls = "after.polls"
poll_interval_s = "after.poll_s"
active_connections = "after.active"
pool_size = "after.pool"
hits = "after.hits"
misses = "after.misses"
lookups = "after.lookups"
hit_ratio = { column = "after.hit_ratio", unit = "fraction" }
[[criteria]]
text = "p95 reduction"
value = "gain.p95"
comparator = ">="
limit = "gain.goal"
met = "gain.status"
"""


def test_a_published_result_is_taken_apart_by_a_mapping(tmp_path):
    """A made-up report with nine of the contradictions in one file: each is named."""
    (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
    (tmp_path / "mapping.toml").write_text(MAPPING)

    found = {relation.rule for relation in audit(tmp_path / "published.json", tmp_path / "mapping.toml").contradictions}

    assert found == {
        Rule.RATE,
        Rule.ERROR_RATIO,
        Rule.BATCHES,
        Rule.POLLS,
        Rule.CONNECTIONS,
        Rule.LOOKUPS,
        Rule.MET,
        Rule.PERCENT,
        Rule.PROVENANCE,
    }


def test_rows_of_a_table_are_compared_with_one_another(tmp_path):
    """Two runs of different users in one table; the whole beside its parts; provenance from a column."""
    (tmp_path / "table.csv").write_text(
        "run,users,requests,p95,source\nbefore,10,100,120,measured by wrk\nafter,100,300,80,measured by wrk\n"
        "all,110,400,140,measured by wrk\n"
    )
    (tmp_path / "mapping.toml").write_text(
        'name = "run"\nwhole = "all"\nparts_make_up_whole = true\nprovenance_column = "source"\ncompares = true\n'
        'workload = ["users"]\n[columns]\ntried = "requests"\np95_ms = "p95"\n'
    )

    found = [relation.rule for relation in audit(tmp_path / "table.csv", tmp_path / "mapping.toml").contradictions]

    assert sorted(found) == [Rule.PARTS, Rule.WORKLOAD, Rule.WORKLOAD]


@pytest.mark.parametrize(
    ("mapping", "error", "message"),
    [
        ("[columns]\ntryed = 'n'", UnknownNameError, "did you mean 'tried'"),
        ("[columns]\nerror_ratio = 'n'", ConfigError, "percent and fraction are never guessed apart"),
        ("[columns]\nduration_s = { column = 'n', unit = 'weeks' }", ConfigError, "no unit of duration_s is called 'weeks'"),
        ("", ConfigError, "it maps no column"),
        ("[columns]\ntried = 'requests'", ConfigError, "no row has the column 'requests'"),
        ("[[criteria]]\ntext='a'\nvalue='b'\ncomparator='=>'\nlimit='c'\nmet='d'", ConfigError, "no comparator is called"),
    ],
)
def test_a_wrong_mapping_is_refused_by_name(tmp_path, mapping, error, message):
    """Every mistake in a mapping names itself before anything is audited."""
    (tmp_path / "table.csv").write_text("n\n3\n")
    (tmp_path / "mapping.toml").write_text(mapping)

    with pytest.raises((error, ConfigError), match=message):
        audit(tmp_path / "table.csv", tmp_path / "mapping.toml")


TABLE = 'provenance_column = "by"\nname = "run"\nwhole = "all"\nworkload = ["users"]\n[columns]\ntried = "n"\n'
LIMITS = '[[criteria]]\ntext = "any words"\nvalue = "p95"\ncomparator = "<="\nlimit = "goal"\nmet = "status"\n'


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('provenance_column = "by"', 'provenance_column = "bye"', "no row has the column 'bye'"),
        ('name = "run"', 'name = "runs"', "no row has the column 'runs'"),
        ('whole = "all"', 'whole = "total"', r"no row is called 'total'.*rows: a, all"),
        ('workload = ["users"]', 'workload = ["users", "rws"]', "no row has the column 'rws'"),
        ('limit = "goal"', 'limit = "goals"', "no row has the column 'goals'"),
        ('met = "status"', 'met = "state"', "no row has the column 'state'"),
        ('value = "p95"', 'value = "p59"', "no row has the column 'p59'"),
        ('limit = "goal"', 'limit = "1,000"', None),
        ('text = "any words"', 'text = "run"', None),
    ],
)
def test_a_name_that_the_table_does_not_have_switches_no_rule_off(tmp_path, right, wrong, message):
    """Each is refused by the name that is wrong; a limit may be a number, and a text any words."""
    (tmp_path / "table.csv").write_text("run,users,n,p95,goal,status,by\na,1,5,80,90,MET,wrk\nall,1,5,80,90,MET,wrk\n")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(TABLE + LIMITS)

    assert audit(tmp_path / "table.csv", mapping).contradictions == ()
    mapping.write_text((TABLE + LIMITS).replace(right, wrong))
    if message is None:
        assert audit(tmp_path / "table.csv", mapping).contradictions == ()
    else:
        with pytest.raises(ConfigError, match=message):
            audit(tmp_path / "table.csv", mapping)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"{", "is not JSON"),
        (b"a,b\n1,2\n", "no result that can be told from its content"),
        (b"[]", "no result that can be told"),
        (b'{"metrics": {"http_reqs": {"count": 1}, "x": {"avg": 1, "thresholds": {"avg<1": 3}}}}', None),
        (b'[{"num_requests": 1, "response_times": 7}]', None),
        (b'{"type": "GROUP", "stats": {"numberOfRequests": 3}}', "a field is missing or of another kind"),
        (b'{"type": "GROUP", "stats": {}, "contents": {"a": {"type": "REQUEST"}}}', "a field is missing"),
    ],
)
def test_what_is_no_result_is_refused_and_odd_ones_do_not_break(tmp_path, content, message):
    """A file that cannot be told says what can; one that lacks fields states less, or says that it is not whole."""
    (tmp_path / "result").write_bytes(content)

    if message is None:
        assert audit(tmp_path / "result").contradictions == ()
    else:
        with pytest.raises(ConfigError, match=message):
            audit(tmp_path / "result")


def test_no_file_is_an_error_and_not_a_traceback(tmp_path):
    """The message says what to name instead."""
    with pytest.raises(ConfigError, match="does not exist: name a result file"):
        audit(tmp_path / "nothing.csv")
