"""Redis and Valkey cache for jivsbench."""
