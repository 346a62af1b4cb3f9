"""TLS to the servers that a target talks to: who gets its passwords."""
