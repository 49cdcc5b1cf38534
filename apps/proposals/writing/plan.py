"""Schedule and cost of the brief as data: phases on a time axis, amounts by kind with their total."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from apps.common.japanese.normalise import half_width
from apps.proposals.evidence.figures import find_figures
from apps.proposals.model import EvidenceNumber, Phase, Schedule
from apps.proposals.story.material import Material, Point
from apps.proposals.writing.names import short_name
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
        for found in _BARE_MONTH_EN.finditer(point.text) if not months else ():  # portal live in March
            month = _EN_MONTHS.index(found["month"][:3]) + 1
            while year * 12 + month - 1 < (previous or today_year * 12 + today_month - 1):
                year += 1
            previous = year * 12 + month - 1
            months.append(previous)
        if months:
            dated.append(Dated(_name(point), months[0], max(months), point.text))
    return dated, True


_BARE_MONTH_EN = re.compile(
    r"(?:\b(?:in|from|by|until|during|to|since|early|mid|late)[\s-])*\b(?P<month>January|February|March|April|May|June|July|August|September|October|"
    r"November|December)\b"
)


def bare_months(text: str) -> list[str]:
    """English months without a year, as keys of dates (``--03``): nothing else reads a lone "March" as a date."""
    return [f"--{_EN_MONTHS.index(found['month'][:3]) + 1:02}" for found in _BARE_MONTH_EN.finditer(text)]


def month_of(month: int, language: str) -> str:
    """A month counted from year 0, as printed: 2027年4月, Apr 2027."""
    year, index = divmod(month, 12)
    return f"{_EN_MONTHS[index]} {year}" if language == "en" else f"{year}年{index + 1}月"


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
    if "\u0000" not in text:
        text = _BARE_MONTH_EN.sub("", text)
    text = re.sub(r"(?:by|in|from|until|on|to)\s*\u0000", "\u0000", text, flags=re.IGNORECASE)
    text = re.sub(
        r"\u0000\s*(?:上旬|中旬|下旬|頃|末|中(?=[\sに]|$))?\s*(?:までに|から|まで|に|〜|～|~|-|–)?", " ", text
    )
    text = re.sub(r"[（(]\s*[)）]|[〜～~→]\s*", " ", text)
    text = re.sub(r"\s+", " ", text).strip(" 　:：、,。.・-–")
    text = re.sub(r"^(?:next steps?|timeline|schedule|plan|次のステップ|今後の流れ|スケジュール|日程)\s?[:：]\s?", "", text, flags=re.IGNORECASE)
    text = re.sub(
        r"^(?:来期|今期|翌期|来年|今年|翌年|年明け)?\s?(?:(?:から|より)\s*|(?<=\S)\s)(?=\S)|(?<=：) ", "", text
    )
    return _balanced(re.sub(r"^[でにはへ](?=[一-鿿ァ-ヺ])", "", text))


def _balanced(text: str) -> str:
    """A text whose brackets were cut apart: the lonely ones go, pairs stay (第1回車両更新（6台）)."""
    opened, lonely = [], set()
    for at, mark in enumerate(text):
        if mark in "（(":
            opened.append(at)
        elif mark in "）)":
            if opened:
                opened.pop()
            else:
                lonely.add(at)
    lonely.update(opened)
    return "".join(mark for at, mark in enumerate(text) if at not in lonely).strip()


def schedule_of(dated: list[Dated], calendar: bool, words: Words) -> Schedule:
    """Phases on an axis of months, or of quarters when the plan is long, or of relative months."""
    low, high = min(d.start for d in dated), max(d.end for d in dated)
    step = 1 if high - low < MAX_COLUMNS else 3 if high - low < 3 * MAX_COLUMNS else 12
    low -= low % step
    columns = []
    for month in range(low, high + 1, step):
        columns.append(_column(month, step, first=month == low, calendar=calendar, words=words))
    phases = [
        Phase(name=d.name or words("start"), start=(d.start - low) // step, end=(d.end - low) // step, detail="")
        for d in dated
    ]
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
    """One amount. ``kind``: once, monthly, yearly, budget, terms (an amount lent, no cost), or "" when it is no amount to be added (a rate, a range, a
    term, an amount on which the sources disagree). ``evidence``: the ids of all its figures."""

    name: str
    amount: str
    kind: str
    number: EvidenceNumber | None
    remark: str = ""
    evidence: tuple[str, ...] = ()


_KIND = (
    ("budget", re.compile(r"予算|budget|上限|以内|融資額|借入|投資額|自己資金|loan amount|principal", re.IGNORECASE)),
    (
        "monthly",
        re.compile(r"月額|毎月|(?<!\d)月(?=\d)|/月|／月|月あたり|月々|per month|a month|monthly|/month", re.IGNORECASE),
    ),
    (
        "yearly",
        re.compile(
            r"年額|年間|毎年|(?<!\d)年(?=\d)|/年|／年|年あたり|per year|a year|yearly|annual|/year", re.IGNORECASE
        ),
    ),
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
    offered = [
        _term_of(point, line)
        for point in material.products
        for line in _lines_of(point, material, rates=True)
        if line.amount and line.number and not _GRANTED.search(point.text.partition(line.amount)[0])
    ]
    if not any(line.number and line.kind for line in lines):
        if any(line.kind in ("once", "monthly", "yearly") for line in offered):  # prices told with the products
            lines += [line for line in offered if line.kind != "terms" and not _EARNED.search(line.name)]
        told = {i for line in lines for i in line.evidence}
        for number in material.usable():
            brief = not number.formula and material.source_of(number).file == material.brief_file()
            future = not re.search(r"（現状）|（提案後）|現在|現行", number.label)
            if (
                brief
                and future
                and number.id not in told
                and number.unit.split("/")[0] in _MONEY
                and _COSTLY.search(number.label)
                and not _told_elsewhere(number, material)
            ):
                kind = _kind(f"{number.label} {number.raw} {number.unit}")
                lines.append(CostLine(number.label, number.raw, kind, number, evidence=(number.id,)))
    if not any(
        line.amount and line.kind != "budget" for line in lines
    ):  # then the products' own terms are all there is
        lines += offered
    return _without_disputes(lines, material)


def _term_of(product: Point, line: CostLine) -> CostLine:
    """An amount told with a product: its price where it is called one (初期費用80万円), else what is lent or saved."""
    name = short_name(product) if product.name.isascii() else re.split("[ 　]", product.name)[0]
    rate = "%" in half_width(line.amount)
    words = re.split(r"[、，(（:：]|, ", line.name)[-1].strip(" 　,;.")
    words = "" if _ONLY_TERM.fullmatch(words) else words
    before = re.split("[、，]", product.text.partition(line.amount)[0])[-1]
    if rate and _EARNED.search(before):
        return replace(line, name=f"{name}：{before.strip()}", kind="terms")
    if (rate and words) or (line.kind != "budget" and not rate and _PRICE.search(words + before + line.amount)):
        joiner = ": " if name.isascii() else "："
        own = words in ("", name) or words in product.head
        return replace(line, name=name if own else f"{name}{joiner}{words}", kind="" if rate else line.kind)
    return replace(line, name=name, kind="" if rate else "terms")


_ONLY_TERM = re.compile(r"(?:期間\s?)?\d+\s?(?:years?|months?|年間?|か月|ヶ月|ヵ月)")
_EARNED = re.compile("配当|利回り|dividend|yield", re.IGNORECASE)  # what a product brings is no cost
_GRANTED = re.compile(r"補助|助成|給付|還元|キャッシュバック|subsid|grant|rebate", re.IGNORECASE)  # what the client gets
_PRICE = re.compile(r"費|料|初期|導入|月額|年額|月々|価格|代金|fee|price|charge|monthly|per month|a month|/\s?(?:month|year|月|年)|毎月|set-?up", re.IGNORECASE)


def _told_elsewhere(number: EvidenceNumber, material: Material) -> bool:
    """Figures of needs, effects and competitors are no cost of the proposal."""
    points = (*material.needs, *material.effects, *material.comparison, *material.background, *material.cost)
    return any(number.source in p.evidence for p in points)


# An amount as it is read: its rhythm before it, a range, how firm it is.
_RHYTHM = r"(?:年率|年利|月額|年額|月々|毎月|毎年|年間|月間|年|月|約|およそ)"
# A margin says nothing without the rate it is added to (TIBOR＋0.6%).
_BASE_RATE = (
    r"(?:\b(?:TIBOR|TONA|SOFR|SONIA|EURIBOR|€STR|LIBOR|SORA|prime(?: rate)?|base rate)|[長短]期プライム(?:レート)?|[長短]プラ|"
    r"プライム(?:レート)?|基準(?:金利|貸付利率)|市場金利|新?[長短]期?プライム|国債(?:利回り)?)(?:\s?[（(][^（）()]{1,12}[)）])?\s?[+＋\-－±]\s?"
)
_LIMIT = re.compile(r"\s?(?:以内|以下|未満|以上|程度|前後|くらい(?:まで)?|ほど|まで)")
_TO = re.compile(r"\s?(?:[~〜～-]|から|to)\s?", re.IGNORECASE)
_STANDARD_NAMES = {
    "初期": "初期費用",
    "導入時": "初期費用",
    "月額": "月額費用",
    "毎月": "月額費用",
    "月々": "月額費用",
    "年額": "年間費用",
    "年間": "年間費用",
    "年": "年間費用",
}
_GENERIC_LABEL = re.compile(r"^(?:pricing|prices?|costs?|fees?|費用|料金|価格|金額|見積り?もり?)$", re.IGNORECASE)


@dataclass(frozen=True)
class _Span:
    """One amount in a line of text, with the numbers of the ledger that it shows."""

    start: int
    end: int
    numbers: tuple[EvidenceNumber, ...]
    ranged: bool


def _spans(text: str, numbers: list[EvidenceNumber]) -> list[_Span]:
    """The amounts of a line; two figures with 〜 between them are one."""
    spans: list[_Span] = []
    flat = half_width(text)
    for figure in find_figures(text):
        hit = next(
            (
                n
                for n in numbers
                if figure.kind == "quantity" and n.raw in (figure.text, flat[figure.start : figure.end])
            ),
            None,
        )
        if figure.kind != "quantity":
            continue
        known = (hit,) if hit else ()
        if spans and _TO.fullmatch(flat[spans[-1].end : figure.start]):
            last = spans.pop()
            spans.append(_Span(last.start, figure.end, (*last.numbers, *known), ranged=True))
        else:
            before = re.search(rf"(?:{_BASE_RATE}|{_RHYTHM}\s?)$", text[: figure.start], re.IGNORECASE)
            spans.append(_Span(before.start() if before else figure.start, figure.end, known, ranged=False))
    return [replace(s, end=m.end()) if (m := _LIMIT.match(text, s.end)) else s for s in spans]


_RATE_OF_COST = re.compile(r"(?:金利|利率|手数料|保証料|料率|利息|fee|rate|interest)[^、,]{0,8}$|(?:^|[、,(（])\s*(?:年率?|年利)?\s?$", re.IGNORECASE)


_OF_WHAT = re.compile(r"(?:掛目|比率|割合|カバー率|融資率|補助率|達成率|ratio|share|coverage|LTV)[^、,;]{0,6}$", re.IGNORECASE)
_PER_PIECE = re.compile(r"\s?(?:per|each|a|an|/|／)\s?(?!(?:month|year|annum|quarter)\b)[a-z]+", re.IGNORECASE)
_PIECE_BEFORE = re.compile(r"(?:[1１一](?:件|回|枚|人|台|通|取引|拠点|ユーザー|ID)|都度)(?:につき|あたり|当たり|ごとに)?[、は ]?$|(?:件|回|人|台|拠点|ユーザー)(?:につき|あたり|当たり|ごとに)[、は ]?$")


def _lines_of(point: Point, material: Material, *, rates: bool = False) -> list[CostLine]:
    """The amounts of a line; its rates where it has no amount, or (``rates``) beside them."""
    numbers = [material.number(i) for i in point.evidence if i[0] == "E" and i not in material.unusable]
    label, text = (point.head, point.rest) if point.rest else ("", point.text)
    spans = [s for s in _spans(text, numbers) if s.numbers]
    money = [s for s in spans if s.numbers[-1].unit.split("/")[0] in _MONEY]
    percent = [s for s in spans if s.numbers[-1].unit.startswith("%")]
    shown = money or percent[:1]
    if rates:  # of a product: hedge ratio 50-70% and 掛目80% cost nothing
        priced = [s for s in percent if _RATE_OF_COST.search(text[: s.start]) and not _OF_WHAT.search(text[: s.start])]
        shown = sorted([*money, *priced], key=lambda span: span.start)
    if not shown:
        return [CostLine(label or point.text, text if label else "", "", None, evidence=tuple(n.id for n in numbers))]
    return [_line(span, shown, label, text, point) for span in shown]


def _line(span: _Span, shown: list[_Span], label: str, text: str, point: Point) -> CostLine:
    start = max((s.end for s in shown if s.end <= span.start), default=0)
    before = _cost_name(text[start : span.start])
    amount = text[span.start : span.end].strip()
    rhythm = re.match(_RHYTHM, amount)
    name = _line_name(label, before.removesuffix("の"), rhythm[0] if rhythm else "", alone=len(shown) == 1)
    number = span.numbers[-1]
    if name in _STANDARD_NAMES.values() and rhythm:  # 月額費用 月額12万円 says it twice
        amount = amount.removeprefix(rhythm[0]).strip()
    elif before.endswith("の") and number.unit == "%":  # 融資額の1.5%
        amount = before + amount
    money = number.unit.split("/")[0] in _MONEY
    kind = _kind(f"{point.text if len(shown) == 1 else before + amount} {number.unit}") if money else ""
    if kind == "once" and (_PER_PIECE.match(text, span.end) or _PIECE_BEFORE.search(text[: span.start])):
        kind = ""  # the price of one piece: how many there are is not told
    aside = re.match(r"\s?[（(]([^（）()]{1,30})[)）]|\s((?:on|of|per|for|plus)\s[^,;.]{3,40})$", text[span.end :])
    return CostLine(
        name or number.label or point.text,
        amount,
        "" if span.ranged and kind != "budget" else kind,
        number,
        (aside[1] or aside[2]) if aside else "",
        tuple(n.id for n in span.numbers) if not aside else tuple(i for i in point.evidence if i[0] == "E"),
    )


def _line_name(label: str, words: str, rhythm: str, *, alone: bool) -> str:
    """What an amount is for: its label, the words before it, or the usual name (初期 → 初期費用)."""
    generic = not label or _GENERIC_LABEL.match(label) is not None
    if generic and (words or rhythm) in _STANDARD_NAMES:
        return _STANDARD_NAMES[words or rhythm]
    if label and words and re.search("予算|budget", label, re.IGNORECASE):
        return f"{label} ({words})" if label.isascii() else f"{label}（{words}）"
    if label and not generic and (alone or not words):
        return label
    return words or label


def _cost_name(before: str) -> str:
    return re.sub(r"(?:は|が|を|で|に|、|：|:|\s)+$", "", before).strip(" 　・、（(")


def _without_disputes(lines: list[CostLine], material: Material) -> list[CostLine]:
    """Amounts under one name on which the brief disagrees become one line that is not added up."""
    merged: list[CostLine] = []
    for line in lines:
        twin = next(
            (k for k in merged if k.name == line.name and {*k.evidence, *line.evidence} & material.disputed), None
        )
        if twin is None or twin.amount == line.amount:
            merged.append(line)
            continue
        both = replace(
            twin,
            amount=f"{twin.amount}／{line.amount}" if material.language == "ja" else f"{twin.amount} / {line.amount}",
            kind="",
            remark="要確認" if material.language == "ja" else "to be confirmed",
            evidence=(*twin.evidence, *line.evidence),
        )
        merged[merged.index(twin)] = both
    return merged


def _kind(text: str) -> str:
    return next((kind for kind, pattern in _KIND if pattern.search(text)), "once")
