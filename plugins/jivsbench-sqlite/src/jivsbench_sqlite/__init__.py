"""SQLite connector for jivsbench: the reference that needs no server."""
