"""A cache in the process's own memory, for jivsbench."""
