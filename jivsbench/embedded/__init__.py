"""PostgreSQL and Valkey from wheels, for a machine that has no servers.

Each server listens on a free loopback port, has random passwords, keeps everything in one private temporary folder, and
is gone when its `with` block ends, however it ends. Another wheel, or servers on the PATH, can take the place of the
default wheels: only `find_postgres_programs` and `find_valkey_program` know where programs come from.
"""

from jivsbench.embedded.postgres import PostgresServer, find_postgres_programs, start_postgres
from jivsbench.embedded.valkey import ValkeyServer, find_valkey_program, start_valkey

__all__ = [
    "PostgresServer",
    "ValkeyServer",
    "find_postgres_programs",
    "find_valkey_program",
    "start_postgres",
    "start_valkey",
]
