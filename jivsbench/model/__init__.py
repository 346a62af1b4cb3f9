"""Frozen values and pure functions: no clock, no files, no logging. Every other part speaks in these."""
