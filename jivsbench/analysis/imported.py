"""Figures that are read from files of other tools: tests and coverage. They are `imported`, and they say from where."""

from jivsbench.analysis.figures import Known, build_figure, named_metric
from jivsbench.model.inputs import Coverage, Inputs, SuiteResults
from jivsbench.model.summary import Figure, Provenance


def list_input_figures(arm: str, inputs: Inputs | None) -> tuple[Figure, ...]:
    """The figures of the files that were given; of a file that was not given there is none."""
    known: list[tuple[str, str, Known | str]] = []
    if inputs and inputs.tests:
        known += _read_tests(inputs.tests)
    if inputs and inputs.coverage:
        known += _read_coverage(inputs.coverage)
    return tuple(build_figure(arm, named_metric(name), statistic, value) for name, statistic, value in known)


def _read_tests(tests: SuiteResults) -> list[tuple[str, str, Known | str]]:
    ran = tests.passed + tests.failed
    source = f"{', '.join(tests.files)}: {tests.passed} passed, {tests.failed} failed, {tests.skipped} skipped"
    if not ran:
        nothing = f"no test ran ({source})"
        return [("tests.failed", "count", nothing), ("tests.passed", "count", nothing)]
    return [
        ("tests.failed", "count", Known(tests.failed, ran, Provenance.IMPORTED, source)),
        ("tests.passed", "count", Known(tests.passed, ran, Provenance.IMPORTED, source)),
    ]


def _read_coverage(coverage: Coverage) -> list[tuple[str, str, Known | str]]:
    return [
        ("coverage.lines", "ratio", _share(coverage.file, "lines", coverage.lines_covered, coverage.lines)),
        ("coverage.branches", "ratio", _share(coverage.file, "branches", coverage.branches_covered, coverage.branches)),
    ]


def _share(file: str, what: str, covered: int | None, all_of_them: int | None) -> Known | str:
    if covered is None or not all_of_them:
        return f"{file} counts no {what}"
    method = f"{file}: {covered} of {all_of_them} {what}"
    return Known(covered * 100.0 / all_of_them, all_of_them, Provenance.IMPORTED, method)
