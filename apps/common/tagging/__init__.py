"""What each line of a text is for, by small trained taggers: acts of a meeting's sentences, roles of a brief's lines.

A tagger is a linear model over character and word n-grams of a line and its neighbours, applied twice: the second time it
also sees what the first thought of the neighbours. It runs in NumPy, about a thousand lines a second, and always gives
the same answer. ``python -m tuning.tagging`` trains it from the labelled texts in ``tuning/data``.
"""

from apps.common.tagging.features import Line
from apps.common.tagging.tagger import Tagger

__all__ = ["Line", "Tagger"]
