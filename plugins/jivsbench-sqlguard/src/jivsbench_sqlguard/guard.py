"""The guard itself: which of the two reviews a request gets. A request for a table never loads the SQL parser."""

from typing import Final

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench_sqlguard.names import review_names

MAX_QUERY_BYTES: Final = 64 * 1024


class SqlGuard:
    """Refuses every request that is not on its lists: plain names of allowed tables, or one plain SELECT over them."""

    @property
    def name(self) -> str:
        """Name in configuration."""
        return "sqlguard"

    def review(self, request: GuardRequest) -> None:
        """Return for yes; raise GuardRefusedError for no. Whatever goes wrong inside is a no."""
        wanted = request.request
        if (wanted.query is None) == (wanted.table is None):
            raise GuardRefusedError("a request names either a table or a query: give exactly one of them")
        review_names(wanted, request.dialect, request.tables)
        if wanted.query is not None:
            self._review_query(wanted.query, request.dialect, request.tables)

    @staticmethod
    def _review_query(query: str, dialect: str, tables: tuple[str, ...] | None) -> None:
        if _is_too_long(query):
            raise GuardRefusedError(
                f"the query is longer than {MAX_QUERY_BYTES} bytes: shorten it, or extract the table with filters"
            )
        from jivsbench_sqlguard.query import review_query

        try:
            review_query(query, dialect, tables)
        except GuardRefusedError:
            raise
        except Exception:  # noqa: BLE001 - fail closed: a parser that stumbles has not understood the text
            # The parser's message quotes the text, and the text may hold values: it stays out of the traceback too.
            raise GuardRefusedError(
                "the query cannot be read as one SELECT: check its syntax, or extract the table with filters"
            ) from None


def _is_too_long(query: str) -> bool:
    """Characters are counted first: encoding a text of any size would be the very cost that the cap avoids."""
    if len(query) > MAX_QUERY_BYTES:
        return True
    return not query.isascii() and len(query.encode("utf-8", "surrogatepass")) > MAX_QUERY_BYTES
