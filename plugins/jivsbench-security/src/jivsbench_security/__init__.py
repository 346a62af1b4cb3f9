"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer SEC-001 (value injection) and SEC-003 (raw-query guard), and SEC-011 to SEC-015 (files)."""
    from jivsbench_security.file_bombs import FileBombsCheck
    from jivsbench_security.file_modes import FileModesCheck
    from jivsbench_security.formula_cells import FormulaCellsCheck
    from jivsbench_security.link_escape import LinkEscapeCheck
    from jivsbench_security.path_traversal import PathTraversalCheck
    from jivsbench_security.raw_query import RawQueryCheck
    from jivsbench_security.value_injection import ValueInjectionCheck

    return [
        ValueInjectionCheck(),
        RawQueryCheck(),
        PathTraversalCheck(),
        LinkEscapeCheck(),
        FileModesCheck(),
        FileBombsCheck(),
        FormulaCellsCheck(),
    ]
