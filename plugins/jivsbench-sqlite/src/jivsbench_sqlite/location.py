"""Which file a SQLite URL names."""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret


def parse_path(url: Secret) -> Path:
    """`sqlite:///shop.db` is relative to the working folder, `sqlite:////data/shop.db` absolute. Raises ConfigError."""
    try:
        parts = urlsplit(url.reveal())
        path = unquote(parts.path[1:], errors="strict")
    except ValueError:
        raise ConfigError(
            "a SQLite URL cannot be read: write it as sqlite:///relative.db or sqlite:////absolute/path.db"
        ) from None
    if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment or not path or "\0" in path:
        raise ConfigError("a SQLite URL names a file and nothing else: sqlite:///relative.db or sqlite:////absolute/path.db")
    return Path(path)


def build_uri(path: Path, mode: str) -> str:
    """The name by which SQLite opens a file in a mode: `ro` never creates one, `rwc` does."""
    return f"file:{quote(str(path.absolute()))}?mode={mode}"
