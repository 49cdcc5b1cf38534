"""A decision that takes the place of an earlier one: 二名で → やっぱり三名にしましょう. The last word counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.common.japanese.normalise import is_japanese
from apps.common.japanese.numbers import find_quantities
from apps.minutes.text.found import Found, labels, overlap, subject_nouns, subject_words
from apps.minutes.text.matters import nearest_topic, topic_phrase
from apps.minutes.text.moves import Move, Talk
from apps.minutes.text.reasons import Reason

NEAR = 8  # turns within which a figure alone refers to the decision before
ALIKE = 0.5  # share of the subject words that both decisions have
_TAKES_BACK = re.compile(
    r"取り消|撤回|白紙|なかったこと|取り下げ|なし(?:で|に|とし)|\b(?:scrap|forget|scratch|drop|cancel|reverse)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"第[\d一二三四五六七八九十]+(?:号|回|案|条)")


def find_replaced(items: Sequence[Found], found: Found) -> Found | None:
    """The earlier decision that a later one changes; None when it is another matter."""
    changes = found.core.does("revise")
    for earlier in reversed(items):
        if _ORDINAL.search(earlier.text) or _ORDINAL.search(found.text):
            continue
        near = found.core.sentence.turn - earlier.core.sentence.turn
        shared = overlap(earlier.quote or earlier.text, found.quote or found.text)
        if changes and shared >= ALIKE and near > 0:
            return earlier
        if 0 < near <= NEAR and (shared >= ALIKE or _only_figures(found)) and _other_figure(earlier, found):
            return earlier
    return None


def find_retracted(move: Move, items: Sequence[Found]) -> Found | None:
    """The decision of an earlier turn that a sentence takes back: scrap the monthly plan, A案は白紙に戻します."""
    if not move.does("revise", "withdraw") or not _TAKES_BACK.search(move.text) or find_quantities(move.text):
        return None
    own = subject_words(move.text)
    earlier = [i for i in items if i.core.sentence.turn < move.sentence.turn and own & subject_words(i.text)]
    return max(earlier, key=lambda i: (overlap(i.text, move.text), i.core.index), default=None)


def supersede(found: Found, earlier: Found, talk: Talk) -> None:
    """Let a decision take over what the earlier one was about, and its evidence."""
    shared = overlap(earlier.quote or earlier.text, found.quote or found.text)
    certain = shared >= ALIKE or _other_figure(earlier, found)
    if is_japanese(found.text) and _only_figures(found):
        near = nearest_topic(earlier.core, talk, [earlier.core, *earlier.context])
        topic = topic_phrase(earlier.text) or (near[0] if near else "")
        found.text = f"{topic}は{found.text}" if topic else found.text
    found.refer(*earlier.moves, *earlier.context)
    found.quote = f"{earlier.quote} {found.quote}"
    if not certain:
        found.reasons.append(Reason("revised", earlier.text))


def _only_figures(found: Found) -> bool:
    """三名にする: a figure or a label, and no thing of its own."""
    own = found.text
    named = subject_nouns(own) - labels(own)
    figures = find_quantities(own)
    said = " ".join((*(q.text for q in figures), *labels(own))).lower()
    words = {w for w in named if w.lower() not in said}
    return not words and bool(figures or labels(own))


def _other_figure(earlier: Found, found: Found) -> bool:
    """Both name a figure of the same unit, and the figures differ."""
    kinds = ({name[1:]: name[0] for name in labels(f.text) if name[0].isascii()} for f in (earlier, found))
    before, after = kinds
    if any(kind in before and before[kind] != letter for kind, letter in after.items()):
        return True
    old, new = ({q.unit: q.value for q in find_quantities(f.text)} for f in (earlier, found))
    return any(unit and unit in old and old[unit] != value for unit, value in new.items())
