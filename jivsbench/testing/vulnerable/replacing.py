"""Replaces a part of the host by a bad one, in the process that loads the plugin which asks for it.

The parts are named by text: this layer knows nothing of the host's inside, and a part that is gone is an error, not a hole that
quietly closes. To be called from a hook, never at import.
"""

import contextlib
import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any


def replace_part(place: str, build: Callable[[Any], Any]) -> None:
    """Put `build(original)` where `place` ("package.module:Class.attribute") says.

    A function that another module imported by its name has to be named where it is used. Raises AttributeError or
    ModuleNotFoundError when there is no such part. Does nothing the second time, so that a part is never wrapped twice.
    """
    module_name, _, path = place.partition(":")
    *way, name = path.split(".")
    owner = functools.reduce(getattr, way, import_module(module_name))
    raw = vars(owner)[name] if name in vars(owner) else getattr(owner, name)
    original = raw.__func__ if isinstance(raw, staticmethod | classmethod) else raw
    if hasattr(original, "__replaces_part__"):
        return
    spoiled = build(original)
    # A bound method of C, or a frozen value, has no room for the mark, and is then replaced again, which is no harm.
    with contextlib.suppress(AttributeError, TypeError):
        spoiled.__replaces_part__ = place
    kind = type(raw)
    setattr(owner, name, kind(spoiled) if kind in {staticmethod, classmethod} else spoiled)
