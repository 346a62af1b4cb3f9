"""Reads XML of other tools as a stream of starts. Entities that a document declares are refused, not expanded."""

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.parsers import expat

from jivsbench.errors import ConfigError
from jivsbench.results.written import parse_count

Start = Callable[[str, Mapping[str, str]], None]


def read_xml(path: Path, start: Start) -> str:
    """Call `start` for each element with its attributes; gives the name of the root. Raises ConfigError naming the file."""
    root: list[str] = []
    parser = expat.ParserCreate()

    def begin(name: str, attributes: dict[str, str]) -> None:
        plain = name.rpartition(":")[2]
        if not root:
            root.append(plain)
        start(plain, attributes)

    def refuse(*_details: object) -> None:
        raise ConfigError(f"{path} declares an entity, which no result needs: it is not read")

    parser.StartElementHandler = begin
    parser.EntityDeclHandler = refuse
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as exc:
        raise ConfigError(f"{path} is not whole XML ({exc}): was it cut short?") from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}): name a file that exists") from exc
    return root[0]


def read_count(path: Path, attributes: Mapping[str, str], name: str) -> int:
    """A whole number of an attribute. Raises ConfigError when it is missing or none."""
    value = parse_count(attributes.get(name))
    if value is None:
        raise ConfigError(f"{path}: the attribute {name!r} is missing or no whole number: it is not of the expected format")
    if value < 0:
        raise ConfigError(f"{path}: the attribute {name!r} is below 0: it is not of the expected format")
    return value
