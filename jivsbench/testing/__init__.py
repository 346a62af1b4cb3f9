"""For plugin authors and for this project's own tests: contract suites, fakes, and a proxy that breaks on demand."""
