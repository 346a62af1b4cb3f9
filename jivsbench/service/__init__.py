"""The extraction service: the HTTP API over the extraction core, in a process of its own."""
