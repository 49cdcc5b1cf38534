"""Every figure of a text: quantities with unit, dates and periods, and names with digits in them.

:func:`find_figures` covers each digit of a text by exactly one :class:`Figure`, so that a deck can be re-scanned and
nothing escapes. Quantities come from :mod:`apps.common.japanese.numbers`; this module adds what business documents
need on top: currencies before the amount, units with a divisor (円/月, 月20時間), fiscal periods, product names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from apps.common.japanese.normalise import half_width
from apps.common.japanese.numbers import Quantity, find_quantities, parse_number

Kind = Literal["quantity", "date", "name"]

_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ],
        start=1,
    )
    for name in names.split()
}
_ERA_START = {"令和": 2018, "平成": 1988, "昭和": 1925, "R": 2018, "H": 1988, "S": 1925}
_MONTH_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR = r"(?:(?P<era>令和|平成|昭和|(?<![A-Za-z])[RHS](?=\d))\s?)?(?P<year>元|(?<!\d)\d{1,4})"
_TO = r"\s?[~-]\s?"
_DATES = [
    # the first of two months written together: 2〜3月, 2027年4〜6月, Apr–Jun 2027
    re.compile(rf"{_YEAR}\s?年\s?(?P<month>\d{{1,2}})(?={_TO}\d{{1,2}}\s?月(?!間|目))"),
    re.compile(rf"(?<![\d.,/])(?P<month>1[0-2]|0?[1-9])(?={_TO}(?:1[0-2]|0?[1-9])\s?月(?!間|次|額|例|曜|目))"),
    re.compile(
        rf"(?<![A-Za-z])(?P<name>{_MONTH_NAME})\.?(?={_TO}(?:{_MONTH_NAME})\.?\s(?P<year>20\d{{2}}))", re.IGNORECASE
    ),
    re.compile(
        rf"{_YEAR}\s?年(?P<nendo>度)?(?:\s?(?P<month>\d{{1,2}})\s?月(?P<term>期)?(?:\s?(?P<day>\d{{1,2}})\s?日)?)?(?P<end>末)?"
        r"(?:\s?(?P<part>上期|下期|上半期|下半期|第?[1-4一二三四]四半期|[1-4]Q|Q[1-4]))?"
    ),
    re.compile(
        r"(?<![\d.,])(?P<year>(?:19|20)\d{2})(?P<sep>[/-])(?P<month>\d{1,2})(?:(?P=sep)(?P<day>\d{1,2}))?(?P<term>期)?(?![\d,])"
    ),
    re.compile(r"(?<![\d.])(?P<year>(?:19|20)\d{2})\.(?P<month>\d{1,2})\.(?P<day>\d{1,2})(?![\d.])"),
    re.compile(r"(?<![A-Za-z])(?P<era>[RHS])(?P<year>\d{1,2})[./](?P<month>\d{1,2})(?:[./](?P<day>\d{1,2}))?(?![\d.])"),
    re.compile(
        r"(?<![A-Za-z])FY\s?'?(?P<nendo>\d{4}|\d{2})(?:/\d{2,4})?(?:\s?(?P<part>Q[1-4]|[1-4]Q|H[12]))?", re.IGNORECASE
    ),
    re.compile(r"(?<![A-Za-z\d])(?P<part>Q[1-4]|H[12])(?:\s?(?:FY)?(?P<year>20\d{2}))?(?![A-Za-z\d])"),
    re.compile(r"(?<!\d)(?P<year>20\d{2})\s?(?P<part>Q[1-4]|[1-4]Q|H[12])(?![A-Za-z\d])"),
    re.compile(r"(?<![\d.])(?P<part>[1-4]Q)(?![A-Za-z\d])"),
    re.compile(
        rf"(?<![A-Za-z])(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s)?(?P<name>{_MONTH_NAME})\.?(?:\s(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?!\d),?)?"
        r"(?:,?\s(?P<year>(?:19|20)\d{2}))?(?![A-Za-z])",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<!\d)(?P<month>1[0-2]|0?[1-9])\s?月(?!間|次|額|例|曜)(?:\s?(?P<day>\d{1,2})\s?日)?(?P<end>末|期|上旬|中旬|下旬)?"
    ),
    re.compile(r"(?<![\d/.])(?P<month>1[0-2]|0?[1-9])/(?P<day>[12]\d|3[01]|0?[1-9])(?![\d/%])"),
    re.compile(
        r"(?<![\d.,])(?P<year>(?:19|20)\d{2})(?![\d%年]|[.,]\d)(?!\s?(?:円|万|億|千|人|名|件|社|ドル|時間|台|個|million|thousand))"
    ),
]
_ORDINAL_QUARTER = re.compile(r"第?(?P<n>[1-4一二三四])四半期")
# A Latin word with digits in it: ISO27001, Microsoft 365 stays a quantity-free name only when letters touch the digits.
_NAME = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*[-_.]?[A-Za-z0-9]*\d)[A-Za-z][A-Za-z0-9]*(?:[-_.][A-Za-z0-9]+)*")
_NO_NAME = re.compile(
    r"^(?:USD|JPY|EUR|GBP|CNY|US|FY|Q|H|R|S|[A-Za-z]*\D)?$|^(?:USD|JPY|EUR|GBP|CNY|FY)\d|^[QHRS]\d{1,2}$"
)
_CURRENCY = {
    "USD": "ドル",
    "US$": "ドル",
    "JPY": "円",
    "EUR": "ユーロ",
    "GBP": "ポンド",
    "CNY": "元",
    "RMB": "元",
    "¥": "円",
    "$": "ドル",
}
_BEFORE = re.compile(r"(?<!/)(USD|US\$|JPY|EUR|GBP|CNY|RMB)\s?$")
_CURRENCIES = frozenset(_CURRENCY.values())
_SCALES = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}
_SCALE_AFTER_MONEY = re.compile(r"\s?(k|mn?|bn?)(?![A-Za-z])", re.IGNORECASE)
_SPACED_SCALE = re.compile(r"\s(百万|千万|万|億|千)\s?(円|ドル|ユーロ|人|名|件|個|台|トン)")
_MORE_UNITS = re.compile(
    r"\s?(床|棟|室|席|校|基|隻|両|頭|羽|杯|袋|箱|缶|ケース|パレット|便|便/日|ID|ライセンス|アカウント|ユーザー|users?|licen[cs]es|seats"
    r"|サーバー?|端末|口|名義|歳|世代|分野|部門|部署|工場|倉庫|営業所|支店|病床|病棟|kWh|MWh|MW|kW|ha|t-CO2|トンCO2|hectares?|beds|sites|units|trucks|vehicles)"
    r"(?![A-Za-z])"
)
_PER_AFTER = re.compile(
    r"\s?(?:[/／]\s?|per |a |an |each )(月|年|日|週|時間|件|人|名|台|社|回|"
    r"か月|ドル|month|year|day|week|hour|person|user|case)(?![A-Za-z間])"
)
_PER_BEFORE = re.compile(
    r"(?<![\d])(毎月|月間|月額|月|年間|年額|毎年|年|1日|日|週)(?:に|あたり|当たり|約|平均|およそ|\s)*$"
)
_PER = {
    "毎月": "月",
    "月間": "月",
    "月額": "月",
    "年間": "年",
    "年額": "年",
    "毎年": "年",
    "1日": "日",
    "か月": "月",
    "month": "月",
    "year": "年",
    "day": "日",
    "week": "週",
    "hour": "時間",
    "person": "人",
    "user": "人",
    "case": "件",
    "名": "人",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure at ``text[start:end]``.

    ``value`` is plain (1,200万円 → 12000000), None for dates and names; ``unit`` is canonical; ``per`` is the divisor
    (月20時間 → 月). ``key`` identifies a date (``2026-04``, ``FY2025``, ``--04`` without year) or a name.
    """

    text: str
    start: int
    end: int
    kind: Kind
    value: float | None = None
    unit: str = ""
    per: str = ""
    key: str = ""
    approx: bool = False

    @property
    def full_unit(self) -> str:
        return f"{self.unit}/{self.per}" if self.per else self.unit

    def same(self, other: Figure) -> bool:
        """Whether both say the same thing, however written."""
        if self.kind != other.kind:
            return False
        if self.kind == "date":
            return same_period(self.key, other.key)
        if self.kind == "name":
            return self.key == other.key
        return self.value == other.value and (self.unit == other.unit or not self.unit or not other.unit)


def find_figures(text: str) -> list[Figure]:
    """All figures of a text in order, without overlap; every digit belongs to one."""
    flat = half_width(text)
    dates = _dates(text, flat)
    names = [f for f in _names(text, flat) if not _overlaps(f, dates)]
    spans = [(f.start, f.end) for f in (*dates, *names)]
    quantities = [_complete(text, flat, q) for q in find_quantities(text, skip=spans)]
    quantities = [q for q in quantities if not _overlaps(q, [*dates, *names])]
    found = sorted([*dates, *names, *quantities], key=lambda f: f.start)
    return sorted([*found, *_leftovers(text, flat, found)], key=lambda f: f.start)


def quantities(text: str) -> list[Figure]:
    """Only the figures with a value."""
    return [f for f in find_figures(text) if f.kind == "quantity"]


def _overlaps(figure: Figure, others: list[Figure]) -> bool:
    return any(figure.start < o.end and o.start < figure.end for o in others)


def _dates(text: str, flat: str) -> list[Figure]:
    found: list[Figure] = []
    for pattern in _DATES:
        for match in pattern.finditer(flat):
            key = _key(match)
            if key:
                figure = Figure(text[match.start() : match.end()], match.start(), match.end(), "date", key=key)
                if not _overlaps(figure, found):
                    found.append(figure)
    return found


def _key(match: re.Match[str]) -> str:
    """``2026-04-01``, ``2026-04``, ``2026``, ``FY2025``, ``FY2025-H1``, ``--04-01``, ``Q1``; "" when it is no date."""
    group = match.groupdict()
    if group.get("nendo") and group["nendo"] != "度":
        number = int(group["nendo"])
        return f"FY{number if number > 99 else 2000 + number}" + _part(group.get("part"))
    year = _year(group)
    if year == 0:
        return ""
    month = _month(group)
    if month is None or not (
        group.get("name") or any(character.isdigit() for character in match[0].replace("元", "1"))
    ):
        return ""
    if year and group.get("nendo"):
        return f"FY{year}" + _part(group.get("part"))
    if year and group.get("term") and month:
        return f"FY{year - 1}" if month == 3 else f"FYE{year}-{month:02d}"
    day = group.get("day") or group.get("day2")
    head = str(year) if year else "-" if month else ""
    return (
        head
        + (f"-{month:02d}" if month else "")
        + (f"-{int(day):02d}" if day else "")
        + _part(group.get("part"), not head)
    )


def _part(part: str | None, alone: bool = False) -> str:
    if not part:
        return ""
    quarter = _ORDINAL_QUARTER.fullmatch(part)
    halves = {"上期": "H1", "上半期": "H1", "下期": "H2", "下半期": "H2"}
    if quarter:
        name = "Q" + str("一二三四".find(quarter["n"]) + 1 or quarter["n"])
    else:
        name = halves.get(part) or "".join(sorted(part.upper(), reverse=True))
    return name if alone else "-" + name


def _year(group: dict[str, str | None]) -> int | None:
    """The year in the common era; None when not given, 0 when the number is no year (5年 is a duration)."""
    written = group.get("year")
    if not written:
        return None
    number = 1 if written == "元" else int(written)
    if group.get("era"):
        return _ERA_START[str(group["era"])] + number
    return number if 1900 <= number < 2200 else 0


def _month(group: dict[str, str | None]) -> int | None:
    """0 when there is none, None when it cannot be a month or the words are no date (“may” without a day)."""
    if group.get("name"):
        if not (group.get("year") or group.get("day") or group.get("day2")):
            return None
        return _MONTHS[str(group["name"]).lower()]
    number = int(group.get("month") or 0)
    return number if number <= 12 else None


def same_period(one: str, other: str) -> bool:
    """``2026-04`` is the same as ``2026-04-01`` and as ``--04``; ``FY2025`` is not ``2025``."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if short.startswith("--") != long.startswith("--"):
        yearless, full = (one, other) if one.startswith("--") else (other, one)
        return re.sub(r"^\d{4}-", "--", full).startswith(yearless) and full[:1].isdigit()
    return long.startswith(short + "-")


def _names(text: str, flat: str) -> list[Figure]:
    return [
        Figure(text[m.start() : m.end()], m.start(), m.end(), "name", key=m[0].casefold())
        for m in _NAME.finditer(flat)
        if re.search(r"\d", m[0]) and not _NO_NAME.match(m[0])
    ]


def _complete(text: str, flat: str, quantity: Quantity) -> Figure:
    """Add the currency before, the rarer unit after, and the divisor on either side."""
    start, end, unit = quantity.start, quantity.end, quantity.unit
    value = quantity.value
    if before := _BEFORE.search(flat, 0, start):
        start, unit = before.start(), _CURRENCY[before[1]]
    if unit in _CURRENCIES and (scale := _SCALE_AFTER_MONEY.match(flat, end)):
        end, value = scale.end(), value * _SCALES[scale[1].lower()]
    if not unit and (spaced := _SPACED_SCALE.match(flat, end)):
        end, value, unit = spaced.end(), value * (parse_number("1" + spaced[1]) or 1), _canonical(spaced[2])
    if not unit and (after := _MORE_UNITS.match(flat, end)):
        end, unit = after.end(), after[1]
    per = ""
    if divisor := _PER_AFTER.match(flat, end):
        end, per = divisor.end(), _PER.get(divisor[1], divisor[1])
    elif unit not in ("", "月", "日", "年", "時", "期", "号", "番") and (ahead := _PER_BEFORE.search(flat, 0, start)):
        per = _PER.get(ahead[1], ahead[1])
        if ahead[1] in ("月", "年", "日", "週") and ahead.end(1) == start:
            start = ahead.start(1)
    kind: Kind = "name" if unit.startswith("第") or unit in ("号", "番") else "quantity"
    figure = Figure(text[start:end], start, end, kind, float(value), unit, per, approx=quantity.approx)
    return replace(figure, value=None, key=half_width(figure.text).casefold()) if kind == "name" else figure


def _canonical(unit: str) -> str:
    return next((q.unit for q in find_quantities("1" + unit)), unit)


def _leftovers(text: str, flat: str, found: list[Figure]) -> list[Figure]:
    """Digits that nothing above took, as names: the whole run of letters and digits around them."""
    rest: list[Figure] = []
    for match in re.finditer(r"[A-Za-z0-9][A-Za-z0-9._-]*", flat):
        figure = Figure(text[match.start() : match.end()], match.start(), match.end(), "name", key=match[0].casefold())
        if re.search(r"\d", match[0]) and not _overlaps(figure, found):
            rest.append(figure)
    for match in re.finditer(r"\d+", flat):
        figure = Figure(text[match.start() : match.end()], match.start(), match.end(), "name", key=match[0])
        if not _overlaps(figure, [*found, *rest]):
            rest.append(figure)
    return rest
