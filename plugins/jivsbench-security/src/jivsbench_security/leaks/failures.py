"""The failures of SEC-028: what is asked of the target so that something goes wrong, with texts that must not come back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from jivsbench_security.exchanges import API

NO_JOB: Final = "00000000-0000-0000-0000-000000000000"
_WRONG: Final = {
    "a cast to a number": "SELECT CAST(label AS integer) FROM {t}",
    "a cast to a day": "SELECT CAST(label AS date) FROM {t}",
    "a cast to a time": "SELECT CAST(label AS timestamp) FROM {t}",
    "a cast to a decimal": "SELECT CAST(label AS numeric(4, 1)) FROM {t}",
    "a cast to a truth value": "SELECT CAST(label AS boolean) FROM {t}",
    "a cast in a condition": "SELECT id FROM {t} WHERE CAST(label AS bigint) = 1",
    "a division by zero": "SELECT label, 1 / (id - id) FROM {t}",
    "a number that is too large": "SELECT CAST(id * 1000000 AS smallint) FROM {t}",
    "a root of a negative number": "SELECT label, sqrt(-id) FROM {t}",
    "a logarithm of zero": "SELECT label, ln(id - id) FROM {t}",
    "a product that overflows": "SELECT label, id * 9223372036854775807 FROM {t}",
    "a comparison of types": "SELECT id FROM {t} WHERE label = id",
    "a sum of texts": "SELECT sum(label) FROM {t}",
    "a missing column": "SELECT nothing FROM {t} WHERE label = '{p}'",
    "a missing table": "SELECT * FROM nothing_at_all WHERE label = '{p}'",
    "a missing function": "SELECT nothing_at_all('{p}') FROM {t}",
    "a subquery of two rows": "SELECT (SELECT label FROM {t}) FROM {t}",
    "no SQL": "{p} FROM WHERE",
    "a quote that does not end": "SELECT '{p} FROM {t}",
    "a statement that writes": "DELETE FROM {t} WHERE label = '{p}'",
    "a forbidden table": "SELECT * FROM pg_authid WHERE rolname = '{p}'",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One request that must fail. `is_job`: an extraction that is run to its end."""

    name: str
    method: str
    path: str
    body: object = None
    token: str | None = None
    is_job: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """What the failures are about: the source, a table of the check's own, a parameter and a token that nobody else has."""

    source: str
    table: str
    parameter: str

    def list_requests(self) -> Iterator[Step]:
        """Extractions that fail, and requests that do not fit."""
        for name, text in _WRONG.items():
            query = text.replace("{t}", self.table).replace("{p}", self.parameter)
            yield self._run(name, {"query": query})
        for column in ("id", "day"):
            yield self._run(f"a filter of another type on {column}", self._filter(column, self.parameter))
        yield self._run("a pattern that ends in an escape", self._filter("label", "%\\", "like"))
        yield self._run("a value that no text can hold", self._filter("label", f"{self.parameter}\0"))
        yield self._run("a number beyond all bounds", self._filter("id", 10**30))
        yield self._run(
            "too many values", {"table": self.table, "filters": [_condition("label", [self.parameter] * 10_001, "in")]}
        )
        yield self._run("a filter on a missing column", self._filter("nothing", self.parameter))
        yield self._run("a system table", {"table": "pg_authid"})
        yield self._run("a transform that nobody knows", {"table": self.table, "transforms": [{"kind": self.parameter}]})
        yield Step(
            "an unknown source", "POST", f"{API}/extractions", {"source": "nothing", "query": f"SELECT '{self.parameter}'"}
        )
        yield Step("a body that is no JSON", "POST", f"{API}/extractions", b"{" + self.parameter.encode())
        yield Step("an unknown field", "POST", f"{API}/extractions", {"source": self.source, self.parameter: self.parameter})
        yield Step("fields of another type", "POST", f"{API}/extractions", {"source": 3, "table": [self.parameter]})
        yield Step("a body that is too large", "POST", f"{API}/extractions", {"query": self.parameter * 60_000})
        yield Step("no token", "GET", f"{API}/extractions", token="")
        yield Step("a wrong token", "GET", f"{API}/extractions", token=self.parameter)
        yield Step("a method that is not there", "PATCH", f"{API}/extractions", {"a": self.parameter})
        yield Step("a path that is not there", "GET", f"{API}/nothing?a={quote(self.parameter)}")
        yield Step("a job that is not there", "GET", f"{API}/extractions/{NO_JOB}")
        yield Step("a job id that is none", "GET", f"{API}/extractions/{quote(self.parameter, safe='')}")
        yield Step("a state that is none", "GET", f"{API}/extractions?status={quote(self.parameter, safe='')}")
        yield Step("a page that is none", "GET", f"{API}/extractions?page={quote(self.parameter, safe='')}")

    def _run(self, name: str, body: Mapping[str, object]) -> Step:
        return Step(name, "POST", f"{API}/extractions", {"source": self.source, **body}, is_job=True)

    def _filter(self, column: str, value: object, operator: str = "=") -> Mapping[str, object]:
        return {"table": self.table, "filters": [_condition(column, [value], operator)]}


def list_bad_urls(reader: str, password: str, telltale_port: int, closed_port: int) -> Iterator[tuple[str, str]]:
    """URLs of data sources that must fail, by why. All but one hold the password; that one the reader's own."""
    parts = urlsplit(reader)
    quoted = quote(password, safe="")
    place = parts.netloc.rpartition("@")[2]
    user, path = parts.username or "nobody", parts.path

    def write(where: str, path: str = path, query: str = "") -> str:
        return f"{parts.scheme}://{user}:{quoted}@{where}{path}{query}"

    yield "a wrong password", write(place)
    yield "a server that tells the password", write(f"127.0.0.1:{telltale_port}")
    yield "a port where nobody listens", write(f"127.0.0.1:{closed_port}")
    yield "a database that is not there", parts._replace(path=f"/nothing_{user}").geturl()
    yield "TLS that the server lacks", write(place, query="?sslmode=require")
    yield "an option that is not allowed", write(place, query=f"?passfile=/{quoted}")
    yield "a host name that nobody knows", write(f"{user}.invalid")
    yield "a port that is none", write("127.0.0.1:port")
    yield "a bare password", f"{parts.scheme}://{user}:{password} x#y@{place}{path}"
    yield "brackets that do not close", f"{parts.scheme}://{user}:{quoted}@[::1{path}"
    yield "a password as the port", f"{parts.scheme}://{place.partition(':')[0]}:{password}{path}"
    yield "a percent sign too much", f"{parts.scheme}://{user}:%zz{quoted}@{place}{path}"
    yield "a link-local address", write("169.254.169.254:80")


def _condition(column: str, values: list[object], operator: str) -> Mapping[str, object]:
    return {"column": column, "operator": operator, "values": values}
