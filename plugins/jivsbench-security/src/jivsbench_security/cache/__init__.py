"""The cache server: what lies in it, who believes it, and what may be done to it."""
