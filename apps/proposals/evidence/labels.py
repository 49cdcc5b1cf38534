"""What a figure is about: its label and its period, read from the sentence around it.

Japanese: 年間輸出額は約12億円 → 年間輸出額; English: export sales of USD 12m → export sales.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from apps.common.japanese.normalise import half_width, is_japanese
from apps.proposals.evidence.figures import Figure, find_figures

_CLAUSE_END = re.compile(
    r"[。.;!?\n|\t]\s*|[、,]\s?|[()「」【】\[\]]|・(?=.*:)|であり|ですが|しており|(?<=[^\d])から(?=[^の])|\b(?:and|but|while|to)\s",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:[\s:=→~-]|当初(?:見積り?|見込み?|計画|予算)?|去年|昨年度?|一昨年度?|約|およそ|おおよそ|ほぼ|合計で?|(?<![一-鿿])計|総額で?|最大で?|最低でも|平均で?|現在|について|に対して|に対し|当たり|あたり"
    r"|(?:前年|前年同期|対前年|前期)比で?|(?:(?<=[\sはがをもにでの])|^)(?:年間|月間|毎月|毎年|年額|月額|年率|年)|としては|として|には|では|とは|のうち|うち|は|が|を|も|に|で|の|と)+$"
)
_HEAD = re.compile(
    r"^(?:(?:当社|貴社|御社|同社|弊社|当行|お客様|お客さま|顧客|なお|また|さらに|特に|うち|直近)(?:の|では|は|、)?|[\s・\-*●■◆○◎>→]+|[a-z]\)\s|その|この|各)+"
)
# The run of words a label may consist of, read backwards from the figure.
_RUN_JA = re.compile(
    r"(?:[一-鿿々ァ-ヺーA-Za-z0-9&%/・_-]|の(?=[一-鿿ァ-ヺA-Za-z])|[おご](?=[一-鿿])"
    r"|(?<=[一-鿿])[りれけげせみしちえいめきぎびわ]{1,2}(?=[一-鿿ァ-ヺ]|の|$))+$"
)
_RUN_EN = re.compile(r"(?:[A-Za-z][A-Za-z&/'-]*\s?){1,6}$")
_FILLER_EN = re.compile(
    r"\b(?:the|a|an|of|is|are|was|were|at|by|to|from|about|around|approximately|roughly|some|currently|now|only|just|its|our"
    r"|their|has|have|had|falls?|fell|rises?|rose|drops?|grows?|grew|shrinks?|improves?|cuts?|reduces?|increases?|decreases?|with|in|for|and|or|over|under|more|less|than|up|down|total(?:ling|s)?|reach(?:ed|es)?|stood|spends?|takes?|we|they|it)\b",
    re.IGNORECASE,
)
CHANGES = {
    "削減": -1,
    "短縮": -1,
    "減少": -1,
    "低減": -1,
    "圧縮": -1,
    "縮減": -1,
    "軽減": -1,
    "低下": -1,
    "減": -1,
    "下落": -1,
    "節約": -1,
    "増加": 1,
    "拡大": 1,
    "向上": 1,
    "上昇": 1,
    "改善": 1,
    "増": 1,
    "増収": 1,
    "増益": 1,
    "アップ": 1,
    "伸長": 1,
    "reduction": -1,
    "reduce": -1,
    "cut": -1,
    "decrease": -1,
    "lower": -1,
    "saving": -1,
    "fell": -1,
    "less": -1,
    "down": -1,
    "increase": 1,
    "growth": 1,
    "rise": 1,
    "rose": 1,
    "improve": 1,
    "higher": 1,
    "grew": 1,
    "more": 1,
    "up": 1,
}
_CHANGE_JA = re.compile(
    r"\s?(?:以上|程度|ほど|弱|強|前後)?(?:の|を|に|へ|まで)?(削減|短縮|減少|低減|圧縮|縮減|軽減|低下|下落|節約|増加|拡大|向上|上昇|改善|増収|増益|アップ|伸長|増|減)"
)
_CHANGE_EN_AFTER = re.compile(
    r"\s?(reduction|decrease|increase|growth|rise|saving|less|more|lower|higher)\b", re.IGNORECASE
)
_CHANGE_EN_BEFORE = re.compile(
    (
        r"\b(reduc|cut|decreas|lower|sav|fell|increas|grow|grew|rose|rise|rais|improv|up|"
        r"down)\w*\s(?:[\w\s'-]{0,40}?\s)?by\s(?:about |around |some |roughly )?$"
    ),
    re.IGNORECASE,
)
_AFTER_JA = re.compile(r"(?:以上|程度|ほど)?の([一-鿿々ァ-ヺーA-Za-z]{2,12})")
_PERIOD_WORD = re.compile(
    r"(当初(?:見積り?|見込み?|計画|予算)?|一昨年|去年|前々期|前期|当期|今期|来期|前年度|今年度|昨年度|来年度|前年|昨年|"
    r"今年|来年|last year|this year|next year|直近\d?[年期]?)"
)
# Periods told by their place in time, oldest first: where years are not named these say which figure is the newest.
_RELATIVE_PERIODS = (
    "一昨年度 一昨年 前々期 当初 当初計画 当初予算",
    "去年 昨年 昨年度 前年 前年度 前期 前年同期 prior\u00a0year last\u00a0year previous\u00a0year",
    "当期 今期 今年 今年度 本年度 直近 直近期 実績 最新 this\u00a0year current\u00a0year latest actual",
    "来期 来年 来年度 翌期 next\u00a0year",
)
_RANK = {word.replace("\u00a0", " "): rank for rank, words in enumerate(_RELATIVE_PERIODS) for word in words.split(" ")}


def period_rank(period: str) -> int | None:
    """Place in time of a period told in words (前期 before 当期); None for dates and for anything else."""
    return _RANK.get(half_width(period).strip().lower())


_BEFORE_WORDS = (
    r"現在|現状|現行|従来|(?:導入|実施|改善|切替|更新|変更|固定|見直し|借換え?|借り換え|移行|提案|統合|契約)前|これまで|before|"
    r"current(?:ly)?|today|as[- ]is|present|now|existing|baseline"
)
_AFTER_WORDS = (
    r"(?:導入|ご?提案|実施|改善|切替|更新|変更|固定|見直し|借換え?|借り換え|移行|統合|契約)後|目標値?|今後|将来|見込み?|"
    r"想定|計画|after|target|future|to[- ]be|proposed|expected|planned|goal"
)
_ROLE = re.compile(
    rf"^(?P<a>{_BEFORE_WORDS}|{_AFTER_WORDS})(?:の|は|:|\s|_|・|$)\s?|[\s_]?[(\[](?P<b>{_BEFORE_WORDS}|{_AFTER_WORDS})[)\]]"
    rf"|(?:の|[\s_・:-])(?P<c>{_BEFORE_WORDS}|{_AFTER_WORDS})(?:\s\w+)?$",
    re.IGNORECASE,
)
_ROLE_IN_BRACKETS = re.compile(rf"[(\[（]({_BEFORE_WORDS}|{_AFTER_WORDS})[)\]）]", re.IGNORECASE)
_IS_BEFORE = re.compile(_BEFORE_WORDS, re.IGNORECASE)
Role = Literal["", "before", "after"]


@dataclass(frozen=True, slots=True)
class Described:
    """A figure with what the text says about it.

    ``change``: −1 a reduction, 1 an increase, 0 a level; ``role``: the state before or after the proposal.
    """

    figure: Figure
    label: str
    period: str = ""
    change: int = 0
    role: Role = ""


def split_role(label: str) -> tuple[str, Role]:
    """``処理時間（現状）`` → ``処理時間``, before; ``Target cost`` → ``cost``, after; else the label itself."""
    flat = half_width(label)
    match = _ROLE.search(flat)
    if not match:
        return label, ""
    word = match["a"] or match["b"] or match["c"]
    base = (flat[: match.start()] + flat[match.end() :]).strip(" _:・-の")
    return base, "before" if _IS_BEFORE.fullmatch(word) else "after"


def describe(text: str) -> list[Described]:
    """All quantities of one sentence or line, each with label, period, direction of change and role."""
    figures = find_figures(text)
    flat = half_width(text)
    found: list[Described] = []
    for figure in figures:
        if figure.kind == "quantity":
            if _lasting(flat, figure):
                found.append(Described(figure, ""))
                continue
            base, role = split_role(label_of(text, flat, figure, figures))
            label = base or _inherited(figure, found) or _unit_noun(flat, figure)
            found.append(Described(figure, label, period_of(flat, figure, figures), change_of(flat, figure), role))
    return _from_to(flat, found)


def _inherited(figure: Figure, found: list[Described]) -> str:
    """The label of the figure before, when both are of one kind (現在40時間、導入後12時間)."""
    if found and (figure.unit == found[-1].figure.unit or figure.unit in ("%", "倍", "")):
        return found[-1].label
    return ""


def _unit_noun(flat: str, figure: Figure) -> str:
    word = re.sub(r"[\d,.\s]+", "", flat[figure.start : figure.end])
    return word if len(word) >= 2 and figure.unit not in ("円", "ドル", "%") else ""


# What has already happened (18%から13%まで落ちた, 21億円に上振れ) is the client's problem or past, no effect to come.
_PAST = re.compile(
    r"(?:程度|前後)?\s?(?:へ|に|まで)?(?:と)?(?:落ち|下が(?:った|って)|上振れ|膨らん|増えた|減った|縮んだ|値上がり|高騰|跳ね|"
    r"[一-鿿]{2}し(?:た|ている|ており|ていて)|なった|なっている)"
)
_PAST_EN = re.compile(r"\b(?:fell|dropped|rose|grew|shrank|slipped|declined|climbed|worsened|went)\b", re.IGNORECASE)
EARLIER, LATER = "以前", "直近"
_ARROW = re.compile(r"\s?(?:から|より|→|⇒|->|=>|to|down to|up to)\s?(?:約|about )?")


def _from_to(flat: str, found: list[Described]) -> list[Described]:
    """40時間から12時間に短縮: the first is the state before, the second the state after, neither is a change."""
    for index in range(len(found) - 1):
        one, two = found[index], found[index + 1]
        joined = _ARROW.fullmatch(flat[one.figure.end : two.figure.start])
        ends = re.match(r"(?:程度|前後)?\s?(?:へ|に|まで|$|[、。)])|\s?[A-Za-z./%]", flat[two.figure.end :] or "$")
        past = _PAST.match(flat, two.figure.end) or _PAST_EN.search(flat, 0, one.figure.start)
        if joined and past and one.figure.unit in (two.figure.unit, ""):
            found[index] = replace(one, change=0, period=one.period or EARLIER)
            found[index + 1] = replace(two, change=0, label=one.label, period=LATER)
        elif joined and one.figure.unit in (two.figure.unit, "") and (ends or "→" in joined[0]):
            found[index] = replace(one, role="before", change=0)
            found[index + 1] = replace(two, role="after", change=0, label=one.label)
    return found


def label_of(text: str, flat: str, figure: Figure, figures: list[Figure]) -> str:
    """The words before the figure in its clause; if none, the noun behind it (20名の従業員)."""
    flat = _ROLE_IN_BRACKETS.sub(lambda m: f" {m[1]} ", flat)
    earlier = [f.end for f in figures if f.end <= figure.start and not _lasting(flat, f)]
    start = earlier[-1] if earlier else 0
    for boundary in _CLAUSE_END.finditer(flat, 0, figure.start):
        if not _TAIL.fullmatch(flat[boundary.end() : figure.start]) and boundary.end() < figure.start:
            start = max(start, boundary.end())
    clean = _clean_ja if is_japanese(text) else _clean_en
    label = clean(flat[start : figure.start])
    if label and period_rank(label) is not None:  # 売上は前期18億円: the noun stands before the period
        before = flat[start : figure.start]
        label = clean(before[: before.rfind(label)])
        if not label:
            return ""
    if label and not split_role(label)[0]:  # only “現状”: the noun stands before it
        before = flat[start : figure.start]
        farther = clean(before[: before.rfind(label.split()[-1])])
        return f"{farther}（{label}）" if farther else label
    return label or _noun_behind(flat, figure, is_japanese(text))


def _lasting(flat: str, figure: Figure) -> bool:
    """“2年で” before a figure: how long it took, no level of anything."""
    return figure.unit in ("年", "か月", "週間") and flat[figure.end : figure.end + 1] == "で"


def _noun_behind(flat: str, figure: Figure, japanese: bool) -> str:
    if japanese:
        after = _AFTER_JA.match(flat, figure.end)
        return after[1] if after and after[1] not in CHANGES else ""
    if figure.unit in ("人", "件", "社", "台"):
        return ""
    after = re.match(r"\s?(?:of\s)?((?:[A-Za-z-]+\s?){1,3})", flat[figure.end :])
    return _clean_en(after[1]) if after else ""


def _clean_ja(before: str) -> str:
    trimmed = _TAIL.sub("", re.sub(r"\d+(?:年|か月|ヶ月|カ月|週間?)で$", "", before))
    trimmed = _TAIL.sub("", re.sub(r"^(?:以上|以下|程度|前後|から|まで|へ|に|の|で|と|は|を|が)+", "", trimmed))
    run = _RUN_JA.search(trimmed)
    label = _HEAD.sub("", run[0] if run else "").strip(" ・-/／のに")
    return label if len(label) >= 2 and label not in CHANGES and not label.isdigit() else ""


def _clean_en(before: str) -> str:
    run = _RUN_EN.search(re.sub(r"[\s:=~-]+$", "", before))
    words = _FILLER_EN.sub(" ", run[0]) if run else ""
    return re.sub(r"\s+", " ", words).strip(" -'")


def period_of(flat: str, figure: Figure, figures: list[Figure]) -> str:
    """The period of a figure: the date before it in the sentence, else one in brackets right behind it."""
    sentence = max((flat.rfind(mark, 0, figure.start) for mark in "。\n"), default=-1) + 1
    before = [f for f in figures if f.kind == "date" and sentence <= f.start and f.end <= figure.start]
    if before:
        return before[-1].text
    behind = re.match(r"[^。、,\n]{0,6}[(\[]", flat[figure.end :])
    if behind:
        at = figure.end + behind.end()
        inside = [f for f in figures if f.kind == "date" and at <= f.start <= at + 4]
        if inside:
            return inside[0].text
    words = list(_PERIOD_WORD.finditer(flat, sentence, figure.start))
    return words[-1][1] if words else ""


def change_of(flat: str, figure: Figure) -> int:
    """Whether the figure is a change (20%削減, cut by 20%) and in which direction."""
    after = _CHANGE_JA.match(flat, figure.end) or _CHANGE_EN_AFTER.match(flat, figure.end)
    if after:
        return CHANGES[after[1].lower()]
    before = _CHANGE_EN_BEFORE.search(flat, 0, figure.start)
    if before:
        return 1 if before[1].lower() in ("increas", "grow", "grew", "rose", "rise", "rais", "improv", "up") else -1
    return 0
