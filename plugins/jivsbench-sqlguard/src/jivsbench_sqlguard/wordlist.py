"""How the lists of this plugin are written: as words in a text, which reads better than quotes and commas."""


def read_words(text: str) -> frozenset[str]:
    """The words of a text, as a set.

    >>> sorted(read_words("sum avg"))
    ['avg', 'sum']
    """
    return frozenset(text.split())
