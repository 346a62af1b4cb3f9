"""How an entry lies in the cache, and who loads it when it does not: the parts of `metadata_cache`."""
