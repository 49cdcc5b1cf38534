"""Schedule and cost of the brief as data: phases on a time axis, amounts by kind with their total."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.common.japanese.normalise import half_width
from apps.proposals.evidence.figures import find_figures
from apps.proposals.model import EvidenceNumber, Phase, Schedule
from apps.proposals.story.material import Material, Point
from apps.proposals.writing.words import Words

_MONTH_KEY = re.compile(r"^(?:(\d{4})|-)-(\d{2})")
_STEP = re.compile(
    r"(?P<a>\d{1,2})(?:\s?[~〜～-]\s?(?P<b>\d{1,2}))?\s?(?:か月|ヶ月|カ月|ヵ月|ケ月|月)目|(?:month|Month)s?\s(?P<c>\d{1,2})(?:\s?[-–to]+\s?(?P<d>\d{1,2}))?"
)
_WEEKS = re.compile(
    r"(?P<a>\d{1,2})(?:\s?[~〜～-]\s?(?P<b>\d{1,2}))?\s?週(?:間)?目|(?:week|Week)s?\s(?P<c>\d{1,2})(?:\s?[-–to]+\s?(?P<d>\d{1,2}))?"
)
_NAME_CUT = re.compile(
    r"^[\s　:：、,。.〜～~\-–からまでにをよりのto]+|(?:\s*[:：、,]\s*)+$|\s*(?:を|に)?(?:予定|目標)(?:です)?$"
)
MAX_COLUMNS = 12


@dataclass(frozen=True)
class Dated:
    """One line of the schedule with the months (counted from year 0) or steps it spans."""

    name: str
    start: int
    end: int
    text: str


def read_schedule(points: list[Point], today_year: int, today_month: int) -> tuple[list[Dated], bool]:
    """The dated lines, and whether they are calendar months (else relative steps)."""
    relative = [d for p in points if (d := _relative(p.text))]
    if len(relative) >= 2:
        return relative, False
    dated: list[Dated] = []
    year, previous = today_year, 0
    for point in points:
        months: list[int] = []
        for figure in find_figures(point.text):
            key = _MONTH_KEY.match(figure.key) if figure.kind == "date" else None
            if not key:
                continue
            month = int(key[2])
            if key[1]:
                year = int(key[1])
            elif year * 12 + month - 1 < max(
                previous, (today_year * 12 + today_month - 1) if not dated and not months else previous
            ):
                year += 1
            previous = year * 12 + month - 1
            months.append(previous)
        if months:
            dated.append(Dated(_name(point), months[0], max(months), point.text))
    return dated, True


def _relative(text: str) -> Dated | None:
    flat = half_width(text)
    match = _STEP.search(flat) or _WEEKS.search(flat)
    if not match:
        return None
    first = int(match["a"] or match["c"])
    last = int(match["b"] or match["d"] or first)
    name = _NAME_CUT.sub("", (flat[: match.start()] + flat[match.end() :])).strip(" 　（）():：、")
    return Dated(name or text, first - 1, max(first, last) - 1, text)


def _name(point: Point) -> str:
    """The words of a line without its dates."""
    text = point.text
    for figure in reversed([f for f in find_figures(text) if f.kind == "date"]):
        text = text[: figure.start] + "\u0000" + text[figure.end :]
    text = re.sub(r"(?:by|in|from|until|on|to)\s*\u0000", "\u0000", text, flags=re.IGNORECASE)
    text = re.sub(r"\u0000\s*(?:上旬|中旬|下旬|頃|末)?\s*(?:までに|から|まで|に|〜|～|~|-|–)?", " ", text)
    text = re.sub(r"[（(]\s*[)）]|[〜～~→]\s*", " ", text)
    return re.sub(r"\s+", " ", text).strip(" 　:：、,。.・-–（）()") or point.text


def schedule_of(dated: list[Dated], calendar: bool, words: Words) -> Schedule:
    """Phases on an axis of months, or of quarters when the plan is long, or of relative months."""
    low, high = min(d.start for d in dated), max(d.end for d in dated)
    step = 1 if high - low < MAX_COLUMNS else 3 if high - low < 3 * MAX_COLUMNS else 12
    low -= low % step
    columns = []
    for month in range(low, high + 1, step):
        columns.append(_column(month, step, first=month == low, calendar=calendar, words=words))
    phases = [Phase(name=d.name, start=(d.start - low) // step, end=(d.end - low) // step, detail="") for d in dated]
    return Schedule(columns=columns, phases=phases)


_EN_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _column(month: int, step: int, *, first: bool, calendar: bool, words: Words) -> str:
    if not calendar:
        return words("month_n", n=month + 1)
    year, index = divmod(month, 12)
    if step == 12:
        return f"{year}年" if words.language == "ja" else str(year)
    if words.language == "en":
        return f"{_EN_MONTHS[index]} {year}" if first or index == 0 or step == 3 else _EN_MONTHS[index]
    label = f"{index + 1}月" if step == 1 else f"{index + 1}〜{index + 3}月"
    return f"{year}年{label}" if first or index == 0 or (step == 3 and index < 3) else label


@dataclass(frozen=True)
class CostLine:
    """One amount. ``kind``: once, monthly, yearly, budget, or "" when it is no amount to be added (a rate, a term)."""

    name: str
    amount: str
    kind: str
    number: EvidenceNumber | None
    remark: str = ""


_KIND = (
    ("budget", re.compile(r"予算|budget|上限|以内|融資額|借入|投資額|自己資金|loan amount|principal", re.IGNORECASE)),
    ("monthly", re.compile(r"月額|毎月|/月|／月|月あたり|月々|per month|a month|monthly|/month", re.IGNORECASE)),
    ("yearly", re.compile(r"年額|年間|毎年|/年|／年|年あたり|per year|a year|yearly|annual|/year", re.IGNORECASE)),
    (
        "once",
        re.compile(
            (
                r"初期|導入|一時|初回|設定費|登記|契約時|着手|成功報酬|移行|構築|設備|車両|機器|本体|"
                r"工事|研修|one[- ]?(?:off|time)|initial|set[- ]?up|implementation|purchase"
            ),
            re.IGNORECASE,
        ),
    ),
)
_COSTLY = re.compile(
    r"費用|費$|料$|手数料|利用料|月額|年額|価格|料金|見積|報酬|保証料|fee|cost|price|charge", re.IGNORECASE
)
_MONEY = ("円", "ドル", "ユーロ", "ポンド", "元")


def cost_lines(material: Material) -> list[CostLine]:
    """Every line of the brief's cost, and else the costs among its numbers."""
    lines = [line for point in material.cost for line in _lines_of(point, material)]
    if not any(line.number and line.kind for line in lines):
        for number in material.usable():
            brief = not number.formula and material.source_of(number).file == material.brief_file()
            future = not re.search(r"（現状）|（提案後）|現在|現行", number.label)
            if (
                brief
                and future
                and number.unit.split("/")[0] in _MONEY
                and _COSTLY.search(number.label)
                and not _in_need(number, material)
            ):
                lines.append(
                    CostLine(number.label, number.raw, _kind(f"{number.label} {number.raw} {number.unit}"), number)
                )
    return lines


def _in_need(number: EvidenceNumber, material: Material) -> bool:
    return any(number.source in p.evidence for p in (*material.needs, *material.effects))


def _lines_of(point: Point, material: Material) -> list[CostLine]:
    numbers = [material.number(i) for i in point.evidence if i[0] == "E" and i not in material.unusable]
    money = [n for n in numbers if n.unit.split("/")[0] in _MONEY]
    label, rest = (point.head, point.rest) if point.rest else ("", point.text)
    if not money:
        return [CostLine(label or point.text, rest if label else "", "", numbers[0] if numbers else None)]
    found = []
    for number in money:
        name = (label if len(money) == 1 else "") or number.label or label or point.text
        found.append(
            CostLine(
                name, number.raw, _kind(f"{point.text if len(money) == 1 else name + number.raw} {number.unit}"), number
            )
        )
    return found


def _kind(text: str) -> str:
    return next((kind for kind, pattern in _KIND if pattern.search(text)), "once")
