"""SQL guard for jivsbench: an allow-list over the syntax tree."""
