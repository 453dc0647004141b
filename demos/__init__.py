"""The systems this library was built for, each from one command: `python -m demos` lists them.

Every demo is one file whose `run` takes its settings as keywords, prints its figures beside those it is compared
with, says whether they agree and returns the figures.
"""
