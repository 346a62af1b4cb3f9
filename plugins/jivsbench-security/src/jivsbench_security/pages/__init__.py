"""Reports as pages: whether a text in them can run or fetch anything."""
