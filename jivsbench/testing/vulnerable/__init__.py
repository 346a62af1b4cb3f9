"""Plugins that are wrong on purpose, one hole each: the positive controls of the security checks.

A check that does not fail against its own hole proves nothing. Nothing here is loaded unless a check's control asks for
the module by name; never name one of them in a configuration.
"""
