"""Benchmarks, attacks and gates data extraction. Nothing here is simulated, estimated or hard-coded."""

__version__ = "0.1.0"
