"""The target's cache server, through a client of the check's own and with the rights that the target has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis

from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret

_TIMEOUT_S: Final = 5.0
_PAGE: Final = 1000
_MOST_KEYS: Final = 200_000
_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}


def build_client(url: Secret, *, is_anonymous: bool = False) -> Any:
    """A client that waits longer than the target does, tries nothing twice, and says no more of itself than it must."""
    parts = urlsplit(url.reveal())
    # Of the target's settings those of TLS alone: redis-py would take the others for its own, or break on them.
    query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0].startswith("ssl_")])
    netloc = parts.netloc.rpartition("@")[2] if is_anonymous else parts.netloc
    plain = parts._replace(scheme=_SCHEMES.get(parts.scheme, parts.scheme), netloc=netloc, query=query).geturl()
    return redis.Redis.from_url(
        plain,
        protocol=2,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=None,
        driver_info=None,
        max_connections=4,
    )


class CacheServer:
    """What lies in the cache. Raises InvalidRunError for what the target's user may not look at."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def list_keys(self) -> tuple[bytes, ...]:
        """Every key that SCAN tells."""
        keys: set[bytes] = set()
        with _reading():
            for key in self.client.scan_iter(count=_PAGE):
                keys.add(key)
                if len(keys) > _MOST_KEYS:
                    raise InvalidRunError(
                        f"the cache server holds more than {_MOST_KEYS} keys: give the services one of their own"
                    )
        return tuple(sorted(keys))

    def read(self, keys: tuple[bytes, ...]) -> dict[bytes, bytes]:
        """What is stored under those keys, whatever its type; keys that have gone meanwhile are left out."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            with _reading(), self.client.pipeline(transaction=False) as pipe:
                for key in page:
                    pipe.get(key)
                values = pipe.execute(raise_on_error=False)
            for key, value in zip(page, values, strict=True):
                # Other people's keys are not allowed: the target cannot have written them.
                is_other = isinstance(value, Exception) and not isinstance(value, redis.exceptions.NoPermissionError)
                content = self._read_other(key, value) if is_other else value
                if isinstance(content, bytes):
                    found[key] = content
        return found

    def _read_other(self, key: bytes, error: Exception) -> bytes:
        """What is no string, an element a line; serialised as the server does it where nothing else is known to read it."""
        if not isinstance(error, redis.ResponseError):
            raise InvalidRunError(f"the cache server could not be looked into ({type(error).__name__})")
        with _reading():
            kind = self.client.type(key)
            match kind:
                case b"hash":
                    parts = [part for pair in self.client.hgetall(key).items() for part in pair]
                case b"list":
                    parts = self.client.lrange(key, 0, -1)
                case b"set":
                    parts = sorted(self.client.smembers(key))
                case b"zset":
                    parts = self.client.zrange(key, 0, -1)
                case b"stream":
                    parts = [part for _, fields in self.client.xrange(key) for pair in fields.items() for part in pair]
                case _:
                    parts = [self.client.dump(key) or b""]
        return b"\n".join(parts)

    def lives_ms(self, key: bytes) -> int | None:
        """How long a key will last; -1 for ever, None when it is gone."""
        with _reading():
            left = int(self.client.pttl(key))
        return None if left == -2 else left  # noqa: PLR2004 - the protocol's word for a key that is not there

    def write(self, key: bytes, value: bytes, *, lives_s: int = 600) -> None:
        """Put bytes under a key."""
        with _reading():
            self.client.set(key, value, ex=lives_s)

    def remove(self, keys: tuple[bytes, ...]) -> None:
        """Take keys away."""
        with _reading():
            if keys:
                self.client.unlink(*keys)


@contextmanager
def open_cache_server(url: Secret) -> Iterator[CacheServer]:
    """The server behind a URL, with the rights of the user in it."""
    client = build_client(url)
    try:
        yield CacheServer(client)
    finally:
        client.close()


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except redis.exceptions.NoPermissionError as exc:
        # The server names the command, and nothing that is secret.
        raise InvalidRunError(f"the cache server's user may not do what the check needs ({str(exc)[:100]})") from exc
    except (redis.RedisError, OSError) as exc:
        raise InvalidRunError(f"the cache server could not be looked into ({type(exc).__name__})") from exc
