"""Lets `python -m jivsbench` do what the `jivsbench` command does."""

from jivsbench.cli import main

if __name__ == "__main__":
    main()
