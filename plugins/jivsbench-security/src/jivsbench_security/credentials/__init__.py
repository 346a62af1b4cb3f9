"""Credentials: how they are stored, where they come from, and how weak they may be."""
