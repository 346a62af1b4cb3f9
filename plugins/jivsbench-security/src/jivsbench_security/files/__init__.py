"""Files that a target reads and writes: paths, links, modes, bombs, and cells that a spreadsheet would run."""
