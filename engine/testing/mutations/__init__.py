"""Mutations: would these tests notice a mistake in this derivative? Make one after the other, and see.

| to see | read |
|---|---|
| `mutate`, and the report of what nobody noticed | `mutants.py` |
| what is mutated, and how a mutant takes its place | `targets.py` |
| mistakes in the results and the arguments of a rule | `mistakes.py` |
| mistakes in the source | `rewriting.py` |
"""

from .mutants import Mutant, Mutations, mutate

__all__ = ["Mutant", "Mutations", "mutate"]
