"""SQL that a caller smuggles in: as a value, as a name, as a statement; and whether anything writes."""
