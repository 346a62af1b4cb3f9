"""Opens a cache: says what is wrong with it once, so that its client never has to."""

import ssl
from collections.abc import Callable
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.retry import Retry

from jivsbench.errors import AccessDeniedError, CacheUnreachableError
from jivsbench_redis.address import Address
from jivsbench_redis.client import RedisCacheClient

_DENIED: Final = (redis.AuthenticationError, redis.exceptions.NoPermissionError)


def open_cache(
    address: Address, prefix: str, timeout_s: float, *, pause_s: float, clock: Callable[[], float]
) -> RedisCacheClient:
    """Ask the server for a sign of life within `timeout_s`. Raises CacheUnreachableError and AccessDeniedError."""
    _greet(address, timeout_s)
    return RedisCacheClient(_build_pool(address, address.call_timeout_s), prefix, pause_s, clock)


def _build_pool(address: Address, call_timeout_s: float) -> ConnectionPool:
    options: dict[str, Any] = address.connection_options()
    if address.is_tls:
        # Not what OpenSSL was told to allow on this system.
        options["ssl_min_version"] = ssl.TLSVersion.TLSv1_2
    return ConnectionPool(
        SSLConnection if address.is_tls else Connection,
        socket_connect_timeout=call_timeout_s,
        socket_timeout=call_timeout_s,
        # The breaker decides when to ask again; a client that retries by itself makes a dead cache slow.
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **options,
    )


def _greet(address: Address, timeout_s: float) -> None:
    # To connect and to be answered may each take half of the time.
    pool = _build_pool(address, timeout_s / 2)
    try:
        redis.Redis(connection_pool=pool).ping()
    except _DENIED as exc:
        user = f"user {address.username!r}" if address.username else "this password"
        raise AccessDeniedError(f"the cache at {address} refuses {user}: check user and password in its URL") from exc
    except (redis.RedisError, OSError) as exc:
        raise CacheUnreachableError(
            f"the cache at {address} cannot be used ({_explain(exc, address)}): is it running, and does its URL name it?"
        ) from exc
    finally:
        pool.disconnect()


def _explain(exc: Exception, address: Address) -> str:
    if isinstance(exc, redis.TimeoutError):
        return "no answer in time"
    if isinstance(exc, redis.BusyLoadingError):
        return "it is still loading its data"
    if str(exc) == "Invalid Database" or "DB index" in str(exc):
        return f"it has no database {address.db}"
    cause = exc.__cause__ or exc.__context__
    if isinstance(cause, ssl.SSLError):
        return "its certificate or its TLS is not accepted: check ssl_ca_certs, the host name and the certificate's dates"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return type(exc).__name__
