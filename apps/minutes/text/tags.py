"""What the trained tagger thinks each sentence does; the rules' cues are among its features.

Cues catch set phrases; people decide, promise and object in words nobody listed. So the tagger decides which sentences
become candidates, and the rules say what they are about, who does it and until when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from apps.common.tagging import Line, Tagger

Tags = Mapping[str, float]

# Probability from which a sentence counts as doing it: by the tagger alone, and where the rules say so too.
ENOUGH = {"decide": 0.7, "request": 0.62, "commit": 0.62, "open": 0.3, "dissent": 0.5, "propose": 0.35, "agree": 0.4}
WITH_CUE = {"decide": 0.12, "request": 0.12, "commit": 0.12, "open": 0.12, "dissent": 0.1}

FEWEST = 10  # sentences: in less, the tagger has too little around each to go by


@lru_cache(maxsize=1)
def _shipped() -> Tagger:
    return Tagger.load(Path(__file__).with_name("acts.npz"))


_chosen: list[Tagger | None] = []


def use(tagger: Tagger | None) -> None:
    """Judge with another tagger than the shipped one (a benchmark's), or with None: the rules alone."""
    _chosen[:] = [tagger]


def line(text: str, speaker: str, cues: Iterable[str]) -> Line:
    """A sentence for the tagger; ``cues`` are the rules' acts."""
    return Line(text, speaker, tuple(f"cue {name}" for name in sorted(cues)))


def tag(lines: Sequence[Line], names: Iterable[str]) -> list[dict[str, float]]:
    """The probability of each act for each sentence of a meeting; nothing where the tagger has no say.

    ``names``: of the participants.
    """
    tagger = _chosen[0] if _chosen else _shipped()
    if tagger is None or len(lines) < FEWEST:
        return [{} for _ in lines]
    return tagger.tag(lines, names)


def clear(tags: Tags, act: str) -> bool:
    """Whether the tagger alone makes a sentence a candidate."""
    return tags.get(act, 0.0) >= ENOUGH[act]


def possible(tags: Tags, act: str) -> bool:
    """Whether the tagger lets stand what the rules' cues say; without its opinion they have the only word."""
    return not tags or tags[act] >= WITH_CUE[act]
