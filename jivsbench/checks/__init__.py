"""Runs security checks against a running target, proves that each can fail, and scores what they found."""
