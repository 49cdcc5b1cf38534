"""The effect: which figures of the material can be compared, and the chart and sentences that say it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from apps.common.japanese.normalise import half_width
from apps.proposals.evidence.contradictions import label_key
from apps.proposals.evidence.dates import last_day
from apps.proposals.evidence.figures import find_figures
from apps.proposals.evidence.labels import EARLIER, LATER, period_rank, split_role
from apps.proposals.model import Chart, EvidenceNumber, LedgerTable, Series
from apps.proposals.story.material import Material, grams
from apps.proposals.writing.values import Calculator


@dataclass
class Pair:
    """The same measure before and after; ``after`` may be a calculation from a target rate."""

    label: str
    before: EvidenceNumber
    after: EvidenceNumber
    difference: EvidenceNumber
    percent: EvidenceNumber | None
    down: bool

    @property
    def evidence(self) -> list[str]:
        return [n.id for n in (self.before, self.after, self.difference, self.percent) if n]


@dataclass
class Trend:
    """One measure over time."""

    label: str
    numbers: list[EvidenceNumber]

    @property
    def evidence(self) -> list[str]:
        return [n.id for n in self.numbers]


@dataclass
class Effects:
    pairs: list[Pair] = field(default_factory=list)
    trends: list[Trend] = field(default_factory=list)
    tables: list[LedgerTable] = field(default_factory=list)


def find_effects(material: Material, calculator: Calculator) -> Effects:
    """All comparisons the material allows, the most telling first."""
    numbers = [n for n in material.usable() if not n.formula]
    pairs = _pairs(material, numbers, calculator)
    pairs += _targets(material, numbers, calculator, {label_key(p.label) for p in pairs})
    trends = _trends(material, numbers)
    return Effects(pairs, trends, [t for t in material.ledger.tables if _breakdown(t, material)])


def _pairs(material: Material, numbers: list[EvidenceNumber], calculator: Calculator) -> list[Pair]:
    """Figures under one label, one marked as the state now and one as the state after."""
    roles: dict[tuple[str, str], dict[str, EvidenceNumber]] = {}
    names: dict[tuple[str, str], str] = {}
    for number in numbers:
        base, role = split_role(number.label)
        key = (label_key(base), number.unit.split("/")[0])
        if role and key[0]:  # two figures without a name are no measure
            roles.setdefault(key, {}).setdefault(role, number)
            names.setdefault(key, base)
    lacking = {key for key, found in roles.items() if "before" not in found}
    for number in numbers:  # a target without a stated present: the newest plain figure of that label is the present
        key = (label_key(number.label), number.unit.split("/")[0])
        if key not in lacking or split_role(number.label)[1] or number.value == roles[key]["after"].value:
            continue
        known = roles[key].get("before")
        if known is None or _age(number) >= _age(known):
            roles[key]["before"] = number
            names[key] = number.label
    found = [
        _pair(names[key], r["before"], r["after"], calculator, material.language)
        for key, r in roles.items()
        if len(r) == 2
    ]
    return [p for p in found if p and not _deteriorates(p, material) and not _worse(p)]


def _pair(
    label: str, before: EvidenceNumber, after: EvidenceNumber, calculator: Calculator, language: str
) -> Pair | None:
    if before.value == after.value or ("/" in before.unit and "/" in after.unit and before.unit != after.unit):
        return None
    down = after.value < before.value
    word = ("の減少" if down else "の増加") if language == "ja" else (" (decrease)" if down else " (increase)")
    difference = calculator.difference(before, after, label + word)
    rate = (
        ("の減少率" if down else "の増加率")
        if language == "ja"
        else (" (decrease in %)" if down else " (increase in %)")
    )
    return Pair(label, before, after, difference, calculator.change(before, after, label + rate), down)


def _deteriorates(pair: Pair, material: Material) -> bool:
    """“粗利率が18%から14%に低下” in a need is the problem, not the effect: both figures stand in one need."""
    return any(
        pair.before.source in need.evidence and pair.after.source in need.evidence and not _AIM.search(need.text)
        for need in material.needs
    )


# What a company wants more of, and what it wants less of; anything else is not judged.
_MORE = re.compile(
    r"利益|粗利|収益|売上|売り上げ|営業(?:キャッシュ|CF)|自己資本|生産性|稼働率|成約|受注|満足|定着|回転率|歩留|"
    r"margin|profit|sales|revenue|productivity|utili[sz]ation|satisfaction|retention|yield",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"費(?!率.*改善)|コスト|経費|時間|工数|日数|手数料|金利|残業|離職|在庫|不良|ロス|誤|ミス|苦情|クレーム|遅延|滞留|未収|単価差|"
    r"cost|expense|hours|days|fee|interest|turnover|inventory|defect|error|complaint|delay|overdue|overdraft",
    re.IGNORECASE,
)


def _worse(pair: Pair) -> bool:
    """Less profit or more cost is never shown as what the proposal brings."""
    more, less = _MORE.search(pair.label) is not None, _LESS.search(pair.label) is not None
    return more != less and (pair.down if more else not pair.down)


def _age(number: EvidenceNumber) -> tuple[int, int]:
    """To compare how new figures of one label are: named years by date, 前期 before 当期; no period is oldest."""
    end = last_day(number.period)
    if end:
        return 1, end.toordinal()
    rank = period_rank(number.period)
    return (1, rank) if rank is not None else (0, 0)


_AIM = re.compile(r"目標|目指|→|⇒|target|goal", re.IGNORECASE)


_RATE = re.compile(r"削減|短縮|減少|低減|圧縮|軽減|節約|抑制|reduc|cut|lower|sav|shorten|decreas", re.IGNORECASE)
_GROWTH = re.compile(r"増加|拡大|向上|増収|増益|アップ|伸長|increas|grow|rais|improv", re.IGNORECASE)


def _targets(material: Material, numbers: list[EvidenceNumber], calculator: Calculator, done: set[str]) -> list[Pair]:
    """A target rate (事務コストを20%削減) over a figure of its label gives the state aimed at, a shown calculation."""
    found = []
    for rate in numbers:
        text = material.source_of(rate).text + rate.label
        sign = -1 if _RATE.search(text) else 1 if _GROWTH.search(text) else 0
        if rate.unit != "%" or not sign or not 0 < abs(rate.value) < 100 or not _is_goal(material, rate):
            continue
        words = grams(_RATE.sub("", _GROWTH.sub("", rate.label)))
        bases = [
            n
            for n in numbers
            if n.unit not in ("%", "倍", "")
            and n.value > 0
            and words
            and words <= grams(n.label) | set()
            and not split_role(n.label)[1]
            and label_key(n.label) not in done
        ]
        if len({(b.value, b.unit) for b in bases}) == 1:
            aimed = calculator.reduced(
                bases[0], rate, sign, bases[0].label + ("（目標）" if material.language == "ja" else " (target)")
            )
            pair = _pair(bases[0].label, bases[0], aimed, calculator, material.language)
            if pair:
                pair.percent = rate
                found.append(pair)
                done.add(label_key(bases[0].label))
    return found


def _is_goal(material: Material, number: EvidenceNumber) -> bool:
    """Whether a rate is an aim (in effects, needs, numbers of the brief), not a past development of some report."""
    snippet = material.source_of(number)
    return (
        snippet.file == material.brief_file()
        or re.search(r"見込|想定|期待|目標|効果|可能|expected|target|up to", snippet.text) is not None
    )


def _trends(material: Material, numbers: list[EvidenceNumber]) -> list[Trend]:
    """Labels with values at two or more dated periods of one source, in order of time."""
    groups: dict[tuple[str, str, str], list[EvidenceNumber]] = {}
    for number in numbers:
        if (
            number.period in _UNDATED
            or period_rank(number.period) is not None
            or any(f.kind == "date" for f in find_figures(number.period))
        ):
            groups.setdefault((label_key(number.label), number.unit, material.source_of(number).file), []).append(
                number
            )
    found = []
    for members in groups.values():
        if any(n.period == LATER for n in members):  # 去年の18%から13%まで落ちた: two states in the order told
            members = [n for n in members if n.period in _UNDATED]
        else:
            members = [n for n in members if n.period not in _UNDATED]
        unique = list({n.period: n for n in members}.values())
        ordered = sorted(unique, key=_when)
        if len(ordered) >= 2 and len(ordered) == len({_when(n) for n in ordered}) and ordered[0].label:
            found.append(Trend(ordered[0].label, ordered[-12:]))
    needs = grams(" ".join(p.text for p in (*material.needs, *material.products)))
    return sorted(found, key=lambda t: (-len(grams(t.label) & needs), -len(t.numbers)))


_UNDATED = frozenset(
    (
        EARLIER,
        "当初",
        "当初見積",
        "当初見積り",
        "当初計画",
        "当初予算",
        "当初見込",
        "当初見込み",
        LATER,
        "去年",
        "昨年",
        "昨年度",
        "前年",
        "前年度",
        "前期",
        "一昨年",
        "last year",
    )
)


def _when(number: EvidenceNumber) -> tuple[int, str]:
    rank = period_rank(number.period)
    if rank is not None:
        return rank, ""
    if number.period in _UNDATED:
        return int(number.period == LATER), ""
    end = last_day(number.period)
    if end:
        return end.toordinal(), ""
    key = next((f.key for f in find_figures(number.period) if f.kind == "date"), number.period)
    month = re.match(r"--(\d{2})", key)
    return ((int(month[1]) - 4) % 12 if month else 0), key


def _breakdown(table: LedgerTable, material: Material) -> bool:
    """Rows of one unit side by side: 2 to 8 of them, a single column of figures."""
    columns = [c for c in range(len(table.columns)) if sum(1 for row in table.cells if row[c]) >= 2]
    usable = {n.id for n in material.usable()}
    return (
        len(columns) == 1
        and 2 <= len(table.rows) <= 8
        and all(row[columns[0]] in usable for row in table.cells if row[columns[0]])
    )


def scale_of(numbers: list[EvidenceNumber], language: str) -> tuple[float, str]:
    """(divisor, unit) for the axis: the largest scale that keeps the smallest figure readable."""
    unit = numbers[0].unit
    largest = max(abs(n.value) for n in numbers)
    money = unit.split("/")[0] in ("円", "ドル", "ユーロ", "ポンド", "元")
    base, _, per = unit.partition("/")
    if language == "en":
        base = {
            "円": "JPY",
            "ドル": "USD",
            "ユーロ": "EUR",
            "ポンド": "GBP",
            "元": "CNY",
            "時間": "hours",
            "営業日": "business days",
            "日": "days",
            "人": "people",
            "件": "cases",
            "か月": "months",
            "ポイント": "points",
            "分": "minutes",
        }.get(base, base)
        per = {"月": "month", "年": "year", "日": "day", "件": "case", "人": "person"}.get(per, per)
    tail = f"/{per}" if per else ""
    if language == "en" and money:
        return (1e6, f"{base} million{tail}") if largest >= 1e6 else (1, base + tail)
    for word, factor in (("百万", 1e6), ("千", 1e3)):
        if money and all(re.search(rf"\d{word}{base}", half_width(n.raw)) for n in numbers):
            return factor, f"{word}{base}{tail}"
    if money:
        if largest >= 1e9 or all("億" in n.raw for n in numbers):
            return 1e8, f"億{base}{tail}"
        return (1e4, f"万{base}{tail}") if largest >= 1e4 else (1, base + tail)
    return 1, base + tail


def _value(number: EvidenceNumber, divisor: float) -> float:
    value = round(number.value / divisor, 4)
    return int(value) if value == int(value) else value


def pair_chart(pairs: list[Pair], material: Material, words: dict[str, str]) -> Chart:
    """Before and after as two columns for each measure of one unit."""
    numbers = [n for p in pairs for n in (p.before, p.after)]
    divisor, unit = scale_of(numbers, material.language)
    return Chart(
        type="column",
        title=pairs[0].label if len(pairs) == 1 else words["chart_pairs"],
        unit=unit,
        categories=[p.label for p in pairs] if len(pairs) > 1 else [words["now"], words["then"]],
        series=[
            Series(name=words["now"], values=[_value(p.before, divisor) for p in pairs]),
            Series(name=words["then"], values=[_value(p.after, divisor) for p in pairs]),
        ]
        if len(pairs) > 1
        else [Series(name=pairs[0].label, values=[_value(pairs[0].before, divisor), _value(pairs[0].after, divisor)])],
        source=sources_text(numbers, material),
        as_of=newest(numbers),
        evidence=[n.id for n in numbers],
    )


def trend_chart(trends: list[Trend], material: Material) -> Chart:
    """One or two measures of one unit over the same periods."""
    numbers = [n for t in trends for n in t.numbers]
    divisor, unit = scale_of(numbers, material.language)
    categories = [n.period for n in trends[0].numbers]
    kind = "line" if len(categories) > 6 else "column"
    return Chart(
        type=kind,
        title="・".join(t.label for t in trends) if material.language == "ja" else ", ".join(t.label for t in trends),
        categories=categories,
        unit=unit,
        series=[Series(name=t.label, values=[_value(n, divisor) for n in t.numbers]) for t in trends],
        source=sources_text(numbers, material),
        as_of=newest(numbers),
        evidence=[n.id for n in numbers],
    )


def group_chart(numbers: list[EvidenceNumber], title: str, material: Material) -> Chart:
    """Figures of one unit side by side."""
    divisor, unit = scale_of(numbers, material.language)
    return Chart(
        type="bar",
        title=title,
        categories=[n.label + (f"（{n.period}）" if n.period else "") for n in numbers],
        unit=unit,
        series=[Series(name=title, values=[_value(n, divisor) for n in numbers])],
        source=sources_text(numbers, material),
        as_of=newest(numbers),
        evidence=[n.id for n in numbers],
    )


def sources_text(numbers: list[EvidenceNumber], material: Material) -> str:
    """Where figures come from, for the foot of a chart: attachment names, or that they were given."""
    given = "ご提示の条件" if material.language == "ja" else "figures provided"
    names = [material.source_of(n).file if material.from_attachment(n) else given for n in numbers if not n.formula]
    joined = list(dict.fromkeys(names))
    if any(n.formula for n in numbers):
        joined.append("当行試算" if material.language == "ja" else "own calculation")
    return ("、" if material.language == "ja" else ", ").join(joined)


def newest(numbers: list[EvidenceNumber]) -> str:
    dated = sorted((d, n.as_of) for n in numbers if n.as_of and (d := last_day(n.as_of)))
    return dated[-1][1] if dated else ""
