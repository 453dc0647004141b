"""Rows: draws from a seeded generator. They are recorded, so that a graph that is run again draws again."""

from ..row import primitive


@primitive(kind="random")
def standard_normal(xp, *, generator, size=()):
    """Independent draws from the normal distribution with mean 0 and standard deviation 1."""
    return generator.standard_normal(size)


@primitive(kind="random")
def standard_uniform(xp, *, generator, size=()):
    """Independent draws from the interval [0, 1)."""
    return generator.random(size)


@primitive(kind="random")
def standard_integers(xp, *, generator, low, high, size=()):
    """Independent draws from the integers low, ..., high - 1."""
    return generator.integers(low, high, size)


@primitive(kind="random")
def standard_permutation(xp, *, generator, n):
    """The integers 0, ..., n - 1 in a random order."""
    return generator.permutation(n)
