"""Anomalies: where the first NaN or infinity of a computation came from, and how to write it so that there is none.

| to see | read |
|---|---|
| how it is noticed, and traced to what made it | `detection.py` |
| what is said of it | `diagnoses.py` |
| the safe spellings | `cures.py` |
| in which names | `spelling.py` |
"""

from .detection import Place, detect_anomaly, find_anomaly
from .diagnoses import Anomaly

__all__ = ["Anomaly", "Place", "detect_anomaly", "find_anomaly"]
