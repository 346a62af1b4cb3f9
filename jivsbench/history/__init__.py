"""The figures of many runs over time, in SQLite or PostgreSQL. Bundles stay the evidence; this is their index."""

from jivsbench.history.store import HistoryStore, open_history

__all__ = ["HistoryStore", "open_history"]
