"""SEC-031: the OSV evaluation, severities, and what advisories of last month say of today."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from jivsbench.model.finding import Severity
from jivsbench.testing.vulnerable.known_holes import plant_affected
from jivsbench_security.supply_chain.advisories import AdvisoryBase, read_advisories
from jivsbench_security.supply_chain.known_holes import KnownHolesCheck, is_severe, judge_age
from jivsbench_security.supply_chain.severities import score_vector

NOW = datetime(2026, 5, 20, tzinfo=UTC)


def record(**changes: object) -> dict[str, object]:
    """An advisory about `acme` before 2.0, from 1.0 on."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": "2.0"}]}]
    affected = [{"package": {"ecosystem": "PyPI", "name": "Acme"}, "ranges": ranges}]
    whole = {"id": "A-1", "modified": "2026-05-19T00:00:00Z", "affected": affected, "database_specific": {"severity": "HIGH"}}
    return {**whole, **changes}


def affect(**changes: object) -> list[dict[str, object]]:
    """The affected part, changed."""
    return [{**record()["affected"][0], **changes}]  # type: ignore[index]


def match(version: str, *records: dict[str, object]):
    """What a base of these records says of a version of acme."""
    base = AdvisoryBase()
    for one in records or (record(),):
        base.add(one)
    return list(base.match("acme", version))


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [("0.9", False), ("1.0", True), ("1.9.9", True), ("2.0rc1", True), ("2.0", False), ("2.0.post1", False), ("10.0", False)],
)
def test_a_range_is_from_introduced_to_before_fixed(version: str, *, is_affected: bool) -> None:
    """In the order of PyPI's versions, not of texts."""
    assert bool(match(version)) is is_affected


def test_other_ways_to_say_what_is_affected() -> None:
    """Listed versions in any spelling, last_affected, several ranges; git ranges say nothing about versions."""
    events = [{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.5"}, {"last_affected": "1.7"}]
    two = record(affected=affect(ranges=[{"type": "ECOSYSTEM", "events": events}]))

    assert match("3.0", record(affected=affect(ranges=[], versions=["3.0.0"])))
    assert [bool(match(version, two)) for version in ("0.5", "1.2", "1.6", "1.7", "1.8")] == [True, False, True, True, False]
    assert not match("1.5", record(affected=affect(ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}])))


def test_what_is_withdrawn_or_of_another_ecosystem_is_none() -> None:
    """An npm package of the same name is another one."""
    assert not match("1.5", record(withdrawn="2026-01-01T00:00:00Z"))
    assert not match("1.5", record(affected=affect(package={"ecosystem": "npm", "name": "acme"})))


def test_the_severity_of_an_alias_counts() -> None:
    """PYSEC records state none, and their twins at GitHub do."""
    bare = record(id="PYSEC-1", aliases=["CVE-1", "GHSA-1"], database_specific={})
    twin = record(id="GHSA-1", aliases=["CVE-1"], affected=affect(ranges=[]), database_specific={"severity": "LOW"})

    assert [one.severity for one in match("1.5", bare, twin)] == [Severity.LOW]


def test_silence_about_severity_counts_as_high_and_no_fix_does_not() -> None:
    """What can be mended is a finding; LOW and MEDIUM are listed."""
    unfixed = record(affected=affect(ranges=[{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]))

    assert [is_severe(one) for one in match("1.5", record(database_specific={}))] == [True]
    assert [is_severe(one) for one in match("1.5", record(database_specific={"severity": "MODERATE"}))] == [False]
    assert [is_severe(one) for one in match("1.5", unfixed)] == [False]
    assert match("1.5")[0].fixed_in == "2.0"


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N", 5.9),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("nonsense", None),
    ],
)
def test_base_scores_are_those_of_the_specification(vector: str, score: float | None) -> None:
    """Examples as FIRST and NVD publish them."""
    assert score_vector(vector) == score


def test_advisories_must_be_of_this_week() -> None:
    """Older ones, none at all, and dates that cannot be are no basis for a verdict."""
    base = AdvisoryBase()
    assert "none about PyPI" in (judge_age(base, NOW) or "")
    base.add(record())

    assert judge_age(base, NOW) is None
    assert judge_age(base, NOW + timedelta(days=6)) is None
    assert "more than 7 days" in (judge_age(base, NOW + timedelta(days=7)) or "")
    assert "in the future" in (judge_age(base, NOW - timedelta(days=3)) or "")


def test_an_advisory_of_today_makes_no_old_base_young() -> None:
    """The age is that of the largest part."""
    base = AdvisoryBase()
    for number in range(3):
        base.add(record(id=f"A-{number}", modified="2025-01-01T00:00:00Z"))
    base.begin_part()
    base.add(record(id="OWN-1"))

    assert "more than 7 days" in (judge_age(base, NOW) or "")


def test_a_local_build_is_affected_as_what_it_was_built_from() -> None:
    """`1.5+cpu` is 1.5; and what begins at a place that no version names begins at the first."""
    listed = record(affected=affect(ranges=[], versions=["1.5"]))
    odd = record(affected=affect(ranges=[{"type": "ECOSYSTEM", "events": [{"introduced": "r12"}, {"fixed": "2.0"}]}]))

    assert match("1.5+cpu", listed)
    assert not match("1.6+cpu", listed)
    assert match("0.1", odd)
    assert not match("2.0", odd)


def test_what_cannot_be_read_is_an_error_of_one_kind(tmp_path: Path) -> None:
    """A broken archive, one with too large an entry, records of another shape: nothing is passed over in silence."""
    with zipfile.ZipFile(tmp_path / "all.ZIP", "w") as archive:
        archive.writestr("A-1.json", json.dumps(record()))
    assert read_advisories([tmp_path / "all.ZIP"]).count == 1
    whole = (tmp_path / "all.ZIP").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole.replace(b"ECOSYSTEM", b"ECOSYSTEN", 1))
    (tmp_path / "shape.json").write_text(json.dumps(record(database_specific=[1])))
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A-1.json", b" " * (65 << 20))
    for name in ("cut.zip", "shape.json", "large.zip"):
        with pytest.raises(ValueError, match=r"OSV format|MiB"):
            read_advisories([tmp_path / name])


def test_an_advisory_whose_ranges_are_none_leaves_the_check_untested(tmp_path: Path) -> None:
    """It does not crash, which would read as a hole of the target's."""
    place = plant_affected(tmp_path)
    advisory = json.loads(place.advisories[0].read_text())
    advisory["affected"][0]["ranges"] = ["nonsense"]
    place.advisories[0].write_text(json.dumps(advisory))

    seen = KnownHolesCheck()._inspect(SimpleNamespace(installation=place))
    assert seen.untested is not None
    assert "OSV format" in seen.untested


def test_advisories_about_nothing_that_is_installed_prove_nothing(tmp_path: Path) -> None:
    """One of somebody's own is no base."""
    place = plant_affected(tmp_path)
    advisory = json.loads(place.advisories[0].read_text())
    advisory["affected"][0]["package"]["name"] = "another"
    place.advisories[0].write_text(json.dumps(advisory))

    seen = KnownHolesCheck()._inspect(SimpleNamespace(installation=place))
    assert seen.untested == "none of 1 advisories is about anything installed: give those of the whole ecosystem PyPI"


def test_files_folders_and_archives_are_read_alike(tmp_path: Path) -> None:
    """One record a file, a list of them, or an archive of a whole ecosystem; what is no JSON is an error."""
    (tmp_path / "one.json").write_text(json.dumps(record()))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/list.json").write_text(json.dumps([record(), record(id="A-2"), "no record"]))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("A-1.json", json.dumps(record()))
    (tmp_path / "broken.json").write_text("{")

    assert [read_advisories([tmp_path / name]).count for name in ("one.json", "folder", "all.zip")] == [1, 2, 1]
    with pytest.raises(ValueError, match=r"Expecting"):
        read_advisories([tmp_path / "broken.json"])


def test_another_advisory_about_the_same_version_is_another_finding() -> None:
    """Who answers for the hole that is known today has not answered for the one that becomes known tomorrow."""
    known = match("1.5", record(affected=affect()), record(id="PYSEC-2030-2", affected=affect()))

    found = [KnownHolesCheck()._build_finding(one).fingerprint for one in known]

    assert len(set(found)) == len(found) == 2
