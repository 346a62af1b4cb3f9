"""jivsbench beside the tools that one would use instead: the same table, server and machine, in one run."""
