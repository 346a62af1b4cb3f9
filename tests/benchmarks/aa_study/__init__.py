"""The study of how often comparisons raise a false alarm, and how often they find what is planted."""
