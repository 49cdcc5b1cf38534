"""What each sentence does in a meeting (decides, proposes, gives a task …), by a small trained tagger.

The tagger is a linear model over character and word n-grams of a sentence and its neighbours, applied twice: the second
time it also sees what the first thought of the neighbours. It is trained by ``python -m tuning.acts`` from the labelled
meetings in ``tuning/data/meetings``; it runs in NumPy, a thousand sentences a second, and gives the same answer always.
"""

from apps.minutes.acts.features import Line
from apps.minutes.acts.tagger import ACTS, Act, Tagger, tagger

__all__ = ["ACTS", "Act", "Line", "Tagger", "tagger"]
