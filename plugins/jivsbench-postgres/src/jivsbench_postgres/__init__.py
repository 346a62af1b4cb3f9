"""PostgreSQL connector for jivsbench."""
