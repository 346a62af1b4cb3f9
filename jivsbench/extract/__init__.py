"""The pooled extraction core: pools of connections, partitions read as Arrow batches, verified output files.

Nothing here prints, knows HTTP or decides what to extract; the rows come from connectors, the yes or no from guards.
"""
