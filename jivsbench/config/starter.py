"""The file that `jivsbench init` writes: every section, every key, commented, and valid as it stands."""

from typing import Final

_STARTER: Final = """\
# jivsbench.toml: what jivsbench measures and where. Every key is optional; docs/configuration.md explains each.
# Environment variables (JIVSBENCH_SOURCE_URL, ...) override this file, flags override both.
# Without [source] and [cache] the servers are embedded: started for the command, gone after it.

# --- The source that rows are extracted from -----------------------------------------------------------------------
# [source]
# name = "main"
# ${NAME} is read from the environment, so that no password stands in this file.
# url = "postgresql://reader:${SHOP_PASSWORD}@db.example.com:5432/shop"
# Or: url_file = "source.url", a file that only you can read; or: password_file = "source.password", the password alone.
# Both may lie in the user's keyring instead: url_keyring = "service/user", password_keyring = "service/user".
# The connector is the one that opens the URL's scheme, unless it is named:
# connector = "postgres"
# What becomes of a value that its Arrow type cannot hold: "error", "text" or "null".
# type_policy = "error"
# Tables that may be read; all of them without this key.
# tables = ["orders", "sales.customers"]

# --- The cache in front of metadata; rows never enter it -----------------------------------------------------------
# [cache]
# url = "rediss://cache.example.com:6379/0"

# --- The job store of `jivsbench serve` ----------------------------------------------------------------------------
# [metadata]
# url = "postgresql://jobs:${JOBS_PASSWORD}@db.example.com:5432/jobs"

# --- Where runs are written: DIR/runs/RUN-ID -----------------------------------------------------------------------
[reports]
dir = "reports"

# --- The key that encrypts the URLs of sources that are added to a service ------------------------------------------
# [credentials]
# Its place: key_file = "service.key", which `jivsbench credentials new-key` makes; or key_keyring = "service/user".

# --- Where the connectors of a service may connect to; anywhere but to link-local addresses without this section ------
# [outbound]
# allow = ["db.example.com:5432", "10.0.0.0/8", "/data/files"]

# --- Plugins besides the installed ones, and plugins that are left out ---------------------------------------------
# [plugins]
# modules = ["acme.jivsbench_plugin"]
# disable = ["sqlite"]

# --- What `jivsbench extract` does to rows, in this order -----------------------------------------------------------
# [[transforms]]
# kind = "mask"
# column = "email"
# how = "last"
# keep = 4
# [[transforms]]
# kind = "rename"
# column = "name"
# to = "customer"
# [[transforms]]
# kind = "cast"
# column = "amount"
# to = "decimal(12,2)"
# [[transforms]]
# kind = "filter"
# column = "status"
# operator = "in"
# values = ["active", "pending"]
# [[transforms]]
# kind = "drop"
# columns = ["description"]
# The key of masks by "digest" is drawn at random, as with `openssl rand -hex 32`; under [masking]: key_file = "masking.key",
# a file that only you can read, or the environment variable JIVSBENCH_MASKING_KEY.

# --- Profiles besides `legacy` and `optimized` ---------------------------------------------------------------------
# [profiles.two-streams]
# base = "optimized"
# Guards in force. Without this key: all that are loaded, at least one. An empty list turns them off, in every report.
# guards = ["sqlguard"]
# cache = "redis"
# batch_rows = 10000
# job_workers = 0
# queue_limit = 1000
# query_timeout_s = 30.0
# job_timeout_s = 120.0
# verification = "count"
# [profiles.two-streams.switches]
# batching = true
# streams = 2
# pool = true
# cache = true
# join_fetch = true
# metadata_pool = true
# bulk_status = true
# indexes = true
# pipeline = false
# compression = true
# [profiles.two-streams.output]
# format = "parquet"
# escape_formulas = true
# [profiles.two-streams.pool]
# max_size = 10
# min_idle = 2
# borrow_timeout_s = 5.0
# idle_timeout_s = 300.0
# max_lifetime_s = 600.0
# validation_timeout_s = 3.0
# leak_report_s = 60.0
# total_max = 80
# [profiles.two-streams.metadata]
# size = 50
# max_overflow = 10
# timeout_s = 5.0
# [profiles.two-streams.cache_times]
# data_source_s = 3600.0
# schema_s = 1800.0
# statistics_s = 300.0
# running_job_s = 60.0
"""


def starter_config() -> str:
    """A commented configuration file that `load_settings` accepts as it stands."""
    return _STARTER
