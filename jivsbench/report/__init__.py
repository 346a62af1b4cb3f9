"""Reporters: a record, its summary and its verdict go in, bytes come out. Only `bundle` touches files."""
