"""The child process of a service: reads its spec from standard input, answers one line, serves until that input ends."""

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import TextIO

from jivsbench.children import stop_with_parent
from jivsbench.errors import JivsbenchError
from jivsbench.service.server import ServiceServer
from jivsbench.service.spec import parse_spec

_LOG = logging.getLogger(__name__)


def main() -> int:
    """Run the service. Exit code 1 when it could not start, after the reason was answered."""
    answer = _take_standard_output()
    try:
        server = ServiceServer(parse_spec(sys.stdin.readline()))
        stop_with_parent(sys.stdin, server.stop)
        server.run(lambda base_url: answer({"base_url": base_url, "pid": os.getpid()}))
    except JivsbenchError as exc:
        answer({"error": {"slug": exc.slug, "message": str(exc)}})
        return 1
    except Exception as exc:  # noqa: BLE001 - the parent is told in any case; the text of a foreign error can hold a secret
        _LOG.error("the service could not go on", exc_info=True)
        answer({"error": {"slug": "environment", "message": f"the service met an unexpected {type(exc).__name__}: see its log"}})
        return 1
    return 0


def _take_standard_output() -> Callable[[object], None]:
    """Standard output is for the one answer: what else is printed, by whatever plugin, goes to the log."""
    stream: TextIO = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(message: object) -> None:
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    return answer


if __name__ == "__main__":
    sys.exit(main())
