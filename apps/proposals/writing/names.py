"""The short name of a product, as titles, tables and charts have room for it."""

from __future__ import annotations

import re

from apps.proposals.evidence.figures import find_figures
from apps.proposals.story.material import Point

_LOOSE = " 　、,（）()・のを:："
# What an amount is of, not what is sold: 設備資金融資 期間7年, ABL 枠3,000万円.
_TERM_WORD = re.compile(
    r"[ 　、,]*(?:期間|年率|年利|金利|利率|上限|最大|限度額?|枠|総額|手数料|月額|年額|初期費用?|費用|約|固定|変動|up to|from|at|of|fee|set-?up fee)?\s*$",
    re.IGNORECASE,
)


def short_name(product: Point) -> str:
    """A product's name without amounts, terms and asides: 運転資金融資 8,000万円 期間5年 → 運転資金融資."""
    name = product.name
    if name.isascii():  # Forward programme, 6 months rolling → Forward programme
        first = re.split(r"[,;]\s", name)[0]
        name = first if len(first) > 3 else name
    amounts = [figure for figure in find_figures(name) if figure.kind == "quantity" and figure.unit]
    before = _TERM_WORD.sub("", name[: amounts[0].start]).strip(_LOOSE) if amounts else ""
    if len(before) > (5 if name.isascii() else 2):
        return shortened(before)
    for figure in reversed(amounts):
        name = name[: figure.start] + name[figure.end :]
    name = name.strip(_LOOSE)
    return shortened(name if len(name) > 1 else product.name)


NAME_LENGTH = 34  # characters of a product's name in a title
_BREAK_EN = re.compile(r"\s(?:with|for|of|to|on|in|by|and|plus|including)\s|\s[-–—]\s")
_BREAK_JA = re.compile(r"[、／/＋+：:　]|\s|および|及び|ならびに|による|のための?")


def shortened(name: str) -> str:
    """A long name cut where its first part ends, never inside a word."""
    if len(name) <= NAME_LENGTH:
        return name
    for boundary in (_BREAK_EN if name.isascii() else _BREAK_JA).finditer(name):
        if 6 <= boundary.start() <= NAME_LENGTH:
            return name[: boundary.start()].rstrip("・の")
    cut = name[: NAME_LENGTH + 1].rfind(" ")
    return name[:cut] if cut >= NAME_LENGTH // 2 else name[: NAME_LENGTH - 1].rstrip("・のをに") + "…"
