"""How templates become pages: they escape everything, compute nothing, and may not name what a view does not have."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jivsbench.report.literal import show_literally


@cache
def build_environment() -> Environment:
    """Templates, compiled once, with escaping on; a name that a view does not have is an error, never an empty place."""
    return Environment(
        loader=PackageLoader("jivsbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_show,
    )


def _show(value: object) -> object:
    # What a macro returns is markup that was escaped on its way in; everything else is text that others may have chosen.
    return show_literally(value) if isinstance(value, str) and not isinstance(value, Markup) else value
