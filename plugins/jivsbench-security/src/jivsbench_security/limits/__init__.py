"""Limits and lifetimes: time, memory, connections, sessions, and what a service does when a part of it breaks or it ends."""
