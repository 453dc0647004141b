"""Paths: the ways along which one node enters another, told apart by the named nodes that they meet.

The derivative dE/dx is a sum with one term for each path from x to E, and each term is the product of the direct
derivatives along its path. Way-points are the nodes that paths are told apart by. From one to the next there is one
hop, whatever happens in between: its factor is the direct derivative, the sum over all routes that meet no other
way-point.

| to see | read |
|---|---|
| how nodes get the names of variables | `labels.py` |
| way-points, the hops between them and their factors | `hops.py` |
| paths: counted, listed, multiplied and added up | `terms.py` |
| the largest of very many | `ranking.py` |
"""

from .labels import label
from .terms import Path, Paths, count_paths, paths

__all__ = ["Path", "Paths", "count_paths", "label", "paths"]
