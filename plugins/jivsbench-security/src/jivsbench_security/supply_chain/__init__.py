"""What is installed: plugins that nobody allowed, known holes, and files that are not as they were locked."""
