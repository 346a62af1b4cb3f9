"""Security checks for jivsbench: active attacks on a running extraction service."""
