"""What a target tells: secrets in anything that it writes or answers, and errors that say too much."""
