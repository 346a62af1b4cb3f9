"""The log and the audit trail: one event is one line, what is refused is in it, and nobody alters it unseen."""
