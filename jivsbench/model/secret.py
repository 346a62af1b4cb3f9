"""A text that must never be printed."""

from dataclasses import dataclass
from urllib.parse import quote, urlunsplit

from jivsbench.model.url import parse_url


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A password, token or connection URL. `str`, `repr` and format show asterisks; only `reveal` gives the text."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)


def format_url_without_secret(url: Secret) -> str:
    """Scheme, user, host, port and path of a URL, for messages. Password, query and fragment are left out.

    >>> format_url_without_secret(Secret("postgresql://ann:s3cret@db:5432/shop?sslmode=require"))
    'postgresql://ann@db:5432/shop'
    """
    try:
        parts = parse_url(url.reveal())
    except ValueError:
        # A malformed URL can carry its password anywhere, so nothing of it is shown.
        return "(a URL that cannot be read)"
    port = f":{parts.port}" if parts.port else ""
    user = f"{quote(parts.username)}@" if parts.username else ""
    return urlunsplit((parts.scheme, f"{user}{parts.hostname or ''}{port}", parts.path, "", ""))
