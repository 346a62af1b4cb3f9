"""What the checks have in common that load a table, and see what the target keeps of it in its cache server."""

from abc import abstractmethod

from jivsbench.api import CheckContext, TableLoader
from jivsbench.errors import AccessDeniedError, OutputError
from jivsbench.model.finding import CheckOutcome, CheckResult
from jivsbench_security.cache.cache_server import CacheServer, open_cache_server
from jivsbench_security.cache.cached_source import find_no_cache
from jivsbench_security.hostile_check import HostileCheck


class CachedTableCheck(HostileCheck):
    """Needs a cache server, and a source into which it may load a table."""

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. NOT_APPLICABLE without a cache server, NOT_TESTED where no table can be loaded."""
        loader, reason = context.loader(), find_no_cache(context)
        if reason is not None or context.cache_url is None:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, reason or "")
        if loader is None:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, "the connector cannot write the table that the check needs")
        try:
            with open_cache_server(context.cache_url) as server:
                return self._attack_table(context, loader, server)
        except (AccessDeniedError, OutputError):
            return self._leave_out(
                context, CheckOutcome.NOT_TESTED, "the source's user may not write the table that the check needs"
            )

    @abstractmethod
    def _attack_table(self, context: CheckContext, loader: TableLoader, server: CacheServer) -> CheckResult:
        """Load the table, attack, and drop it. Raises AccessDeniedError and OutputError where it may not be loaded."""
