"""The target's own source, read and never run: where the text of its statements comes from."""
