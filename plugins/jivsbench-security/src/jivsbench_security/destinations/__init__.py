"""Where a data source may lead."""
