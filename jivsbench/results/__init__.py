"""Result files of other tools, read as what they state. Whatever a file says is a claim here, never a measurement."""

from jivsbench.results.reading import read_claims

__all__ = ["read_claims"]
