"""Replaces a part of the host by a bad one, in the process that loads the plugin which asks for it.

The parts are named by text: this layer knows nothing of the host's inside, and a part that is gone is an error, not a hole that
quietly closes. To be called from a hook, never at import.
"""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any


def replace_part(place: str, build: Callable[[Any], Any]) -> None:
    """Put `build(original)` where `place` ("package.module:Class.attribute") says.

    A function that another module imported by its name has to be named where it is used. Raises AttributeError or
    ModuleNotFoundError when there is no such part. What a plugin's module has replaced it never wraps again; another plugin's
    hole in the same part is made around it.
    """
    module_name, _, path = place.partition(":")
    *way, name = path.split(".")
    module = import_module(module_name)
    # Kept by the module that the part is in: a value of C, or a frozen one, has no room for a mark of its own.
    replaced = vars(module).setdefault("__replaced_parts__", set())
    if (path, build.__module__) in replaced:
        return
    owner = functools.reduce(getattr, way, module)
    raw = vars(owner)[name] if name in vars(owner) else getattr(owner, name)
    original = raw.__func__ if isinstance(raw, staticmethod | classmethod) else raw
    spoiled = build(original)
    kind = type(raw)
    setattr(owner, name, kind(spoiled) if kind in {staticmethod, classmethod} else spoiled)
    replaced.add((path, build.__module__))
