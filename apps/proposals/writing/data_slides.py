"""Slides that carry data: effect with its chart, comparison and cost tables."""

from __future__ import annotations

import re

from apps.proposals.model import EvidenceNumber, Figure, Slide, StoryPoint, Table, TextBlock
from apps.proposals.writing.context import Context
from apps.proposals.writing.effect import Pair, Trend, group_chart, pair_chart, trend_chart
from apps.proposals.writing.names import short_name
from apps.proposals.writing.plan import CostLine

MAX_ROWS = 9


def write_effect(point: StoryPoint, c: Context) -> Slide:
    """Before and after; else a development; else figures side by side; else an open statement, never a made-up one."""
    pairs, trends = c.effects.pairs, c.effects.trends
    if pairs and point.topic != "trend":
        return _pair_slide(point, _of_one_unit(pairs), pairs, c)
    if trends:
        return _trend_slide(point, trends[0], c)
    group = _baseline(c)
    if group:
        return _group_slide(point, group, c)
    c.note(
        point.id,
        "effect_without_numbers",
        "stop",
        "効果を示す数値が資料にありません。グラフは作らず、要確認としました。現状と目標の数値を加えてください。",
        "There is no figure that shows the effect. No chart was made; add present and target figures.",
    )
    body = [c.block(c.words("effect_aim", text=p.text), evidence=p.evidence) for p in c.material.effects[:3]]
    body += [c.block(c.words("effect_ask", topic=n.topic), evidence=n.evidence) for n in c.material.needs[:3]]
    return c.slide(point, c.words("effect_none", topic=c.material.needs[0].topic), body)


def _of_one_unit(pairs: list[Pair]) -> list[Pair]:
    """The pairs that share the first one's unit and can be read on one axis."""
    first = pairs[0]
    low = max(1e-9, min(abs(first.before.value), abs(first.after.value)))
    same = [p for p in pairs if p.before.unit == first.before.unit]
    return [
        p
        for p in same
        if max(abs(p.before.value), abs(p.after.value)) / low < 40
        and low / max(1e-9, min(abs(p.before.value), abs(p.after.value))) < 40
    ][:4]


def _pair_slide(point: StoryPoint, shown: list[Pair], pairs: list[Pair], c: Context) -> Slide:
    w = c.words
    first = shown[0]
    rate = "_rate" if first.before.unit == "%" else ""
    word = w(("decrease" if first.down else "increase") + rate)
    bracket = ("（{}）" if c.language == "ja" else " ({})").format(first.percent.raw) if first.percent else ""
    title = w(
        "effect_pair",
        label=first.label,
        before=first.before.raw,
        after=first.after.raw,
        difference=first.difference.raw,
        percent=bracket,
        word=word,
        way=w("down" if first.down else "up"),
    )
    cards = [Figure(value=_signed(p, c), label=_card_label(p, c), evidence=p.evidence) for p in shown[:1]]
    body = [c.block(w("effect_calculation", formula=formula(p, c)), evidence=p.evidence) for p in shown[:2]]
    others = [p for p in pairs if p not in shown][:2]
    body += [c.block(_card_label(p, c), evidence=p.evidence) for p in others]
    body += [
        c.block(w("effect_aim", text=p.text), evidence=p.evidence)
        for p in c.material.effects
        if not _numbers_told(p.evidence, pairs)
    ][: 1 if others else 2]
    body.append(c.block(w("effect_basis")))
    chart = pair_chart(shown, c.material, {"now": w("now"), "then": w("then"), "chart_pairs": w("chart_pairs")})
    evidence = [i for p in pairs[:3] for i in p.evidence]
    return c.slide(
        point,
        title,
        body,
        evidence=evidence,
        chart=chart,
        figures=cards,
        notices=c.disclosure.beside[:1] if len(c.disclosure.packs) == 1 else [],
    )


def _numbers_told(ids: tuple[str, ...], pairs: list[Pair]) -> bool:
    return any(i in p.evidence for p in pairs for i in ids if i[0] == "E")


def _signed(pair: Pair, c: Context) -> str:
    mark = "−" if pair.down else "＋" if c.language == "ja" else "+"
    return mark + (pair.percent.raw.lstrip("-▲") if pair.percent else pair.difference.raw)


def _card_label(pair: Pair, c: Context) -> str:
    return (
        f"{pair.label}（{pair.before.raw} → {pair.after.raw}）"
        if c.language == "ja"
        else f"{pair.label} ({pair.before.raw} → {pair.after.raw})"
    )


def formula(pair: Pair, c: Context) -> str:
    """The calculation in figures: 40時間 − 15時間 = 25時間."""
    if pair.after.formula:
        rate = pair.percent.raw if pair.percent else ""
        mark = "−" if pair.down else "＋"
        return f"{pair.before.raw} × (100% {mark} {rate}) = {pair.after.raw}"
    high, low = (pair.before, pair.after) if pair.down else (pair.after, pair.before)
    return f"{high.raw} − {low.raw} = {pair.difference.raw}"


def _trend_slide(point: StoryPoint, trend: Trend, c: Context) -> Slide:
    w, m = c.words, c.material
    numbers = trend.numbers
    first, last = numbers[0], numbers[-1]
    down = last.value < first.value
    title = w(
        "effect_trend",
        label=trend.label,
        p1=first.period,
        v1=first.raw,
        p2=last.period,
        v2=last.raw,
        word=w("decrease" if down else "increase"),
    )
    difference = c.calculator.difference(first, last, trend.label + ("の変化" if c.language == "ja" else " (change)"))
    body = [
        c.block(
            w(
                "effect_calculation",
                formula=f"{max(first, last, key=_v).raw} − {min(first, last, key=_v).raw} = {difference.raw}",
            ),
            evidence=[difference.id],
        )
    ]
    body += [c.block(w("effect_aim", text=p.text), evidence=p.evidence) for p in m.effects[:2]]
    if point.topic != "trend":
        body.append(c.block(w("effect_single_basis")))
        c.note(
            point.id,
            "effect_target_missing",
            "warn",
            "導入後の目標値がないため、現状の推移だけを示しました。",
            "No target is given; the chart shows the development so far.",
        )
    companions = [
        t
        for t in c.effects.trends[1:]
        if t.numbers[0].unit == first.unit
        and [n.period for n in t.numbers] == [n.period for n in numbers]
        and _readable(t, trend)
    ]
    chart = trend_chart([trend, *companions[:1]], m)
    return c.slide(
        point,
        title,
        body,
        evidence=[*trend.evidence, difference.id, *(i for t in companions[:1] for i in t.evidence)],
        chart=chart,
    )


def _v(number: EvidenceNumber) -> float:
    return number.value


def _readable(one: Trend, other: Trend) -> bool:
    highs = [max(abs(n.value) for n in t.numbers) or 1e-9 for t in (one, other)]
    return max(highs) / min(highs) < 20


# Terms of a deal and wishes are nothing that a proposal improves.
_A_TERM = re.compile(r"年商|従業員|資本金|^毎[年月週日]$|枠|手付|頭金|着手金|前払|前金|見積|納期|期間|掛目|補助|助成|上限|自己資金|年齢|歳|down payment|deposit|quote|lead time|term\b", re.IGNORECASE)


def _baseline(c: Context) -> list[EvidenceNumber]:
    """Figures of one unit about the needs or products: what an effect would be measured against."""
    numbers = [
        n
        for n in c.material.usable()
        if not n.formula and n.label and n.unit and not n.unit.startswith("第") and not _A_TERM.search(n.label)
    ]
    m = c.material
    about = [n for p in (*m.needs, *m.products) for n in m.numbers_about(p.text, 6)]
    cost_ids = m.told_by(m.cost, m.comparison, m.schedule, m.products, m.risks)
    cost_ids |= {i for line in c.costs for i in line.evidence}
    chosen = [n for n in dict.fromkeys([n.id for n in (*about, *numbers)]) if n not in cost_ids]
    known = {n.id: n for n in numbers}
    groups: dict[str, list[EvidenceNumber]] = {}
    for name in chosen:
        if name in known:
            groups.setdefault(known[name].unit, []).append(known[name])
    best = max(
        groups.values(),
        key=lambda g: (min(2, len({n.label for n in g})), sum(1 for n in g if n in about), -len(g)),
        default=[],
    )
    unique = list({n.label: n for n in best if n.value > 0}.values())
    low = min((n.value for n in unique), default=0)
    shown = [n for n in unique if low and n.value / low <= 200][:6]
    return shown if len(shown) > 1 or any(n in about for n in shown) else []


def _group_slide(point: StoryPoint, numbers: list[EvidenceNumber], c: Context) -> Slide:
    w, m = c.words, c.material
    c.note(
        point.id,
        "effect_target_missing",
        "warn",
        "導入後の目標値がないため、効果測定の基準となる数値だけを示しました。",
        "No target is given; the chart shows baseline figures only.",
    )
    body = [c.block(w("effect_aim", text=p.text), evidence=p.evidence) for p in m.effects[:2]] + [
        c.block(w("effect_single_basis"))
    ]
    title = w("chart_base") if len(numbers) > 1 else numbers[0].label
    more = w("more_figures") if len(numbers) > 1 else ""
    said = w("effect_group", label=numbers[0].label, value=numbers[0].raw, more=more)
    return c.slide(point, said, body, evidence=[n.id for n in numbers], chart=group_chart(numbers, title, m))


def write_comparison(point: StoryPoint, c: Context) -> Slide:
    """Now against the proposal: measured rows first, then each need with what answers it, then the cost."""
    w, m = c.words, c.material
    rows: list[list[str]] = []
    evidence: list[str] = []
    for pair in c.effects.pairs[:3]:
        rows.append([pair.label, pair.before.raw, pair.after.raw])
        evidence += pair.evidence
    measured = {pair.label for pair in c.effects.pairs[:3]}
    answered: list[tuple[str, str]] = []
    for need in [n for n in m.needs if n.topic not in measured and n.head not in measured][:4]:
        answers = [p for i, p in enumerate(m.products) if need in c.needs_of(p, i)]
        now, then = need.now_and_then or (need.head, "")
        answer = w.list([short_name(p) for p in answers]) if answers else w("to_confirm")
        proposal = f"{then}（{answer}）" if then and c.language == "ja" else f"{then} ({answer})" if then else answer
        detail = next((p.rest for p in answers if p.rest and len(p.rest) <= 40), "")
        rows.append(
            [
                need.topic,
                now,
                f"{proposal}（{detail}）"
                if detail and c.language == "ja"
                else f"{proposal} ({detail})"
                if detail
                else proposal,
            ]
        )
        evidence += [*need.evidence, *(i for p in answers for i in p.evidence)]
        answered += [(need.topic, answer)] if answers else []
    amounts = [
        f"{line.name} {line.amount}" for line in c.costs if line.amount and line.kind not in ("budget", "terms")
    ][:2]
    rows.append([w("comparison_cost"), w("none_now"), w.list(amounts) if amounts else w("to_confirm")])
    evidence += [i for line in c.costs for i in line.evidence]
    open_cells = any(w("to_confirm") in cell for row in rows for cell in row)
    if open_cells:
        c.note(
            point.id,
            "comparison_open",
            "info",
            "比較表に「要確認」の欄があります。",
            "The comparison has cells to be confirmed.",
        )
    evidence += [i for p in m.comparison for i in p.evidence]  # told in the speaker notes
    title = _comparison_title(len(rows), answered, c)
    body = [c.block(w("comparison_confirm"))] if open_cells else []
    table = Table(
        columns=[w("aspect"), w("now"), w("then")], rows=rows[:MAX_ROWS], evidence=list(dict.fromkeys(evidence))
    )
    return c.slide(point, title, body, evidence=evidence, table=table)


def _comparison_title(rows: int, answered: list[tuple[str, str]], c: Context) -> str:
    """The second measure when there is one (the first is the effect's message), else a need with its answer."""
    w = c.words
    if len(c.effects.pairs) > 1:
        pair = c.effects.pairs[1]
        return w("comparison_title", label=pair.label, before=pair.before.raw, after=pair.after.raw, n=rows)
    if answered:
        topic, product = answered[0]
        return w("comparison_plain", topic=topic, product=product, n=rows)
    return w("comparison_open", n=rows)


def write_cost(point: StoryPoint, c: Context) -> Slide:
    """Every amount given, with the first-year total by code where amounts can be added."""
    w = c.words
    lines = c.costs
    if not any(line.amount for line in lines):
        return _open_cost(point, c)
    rows: list[list[str]] = []
    evidence: list[str] = []
    amounts = [line for line in lines if line.amount]
    for line in amounts[: MAX_ROWS - 1]:
        kind = {"once": w("once"), "monthly": w("monthly"), "yearly": w("yearly"), "budget": w("cost_budget")}.get(
            line.kind, ""
        )
        rows.append([line.name, line.amount, line.remark or kind])
        evidence += line.evidence
    total = _total(c)
    if total:
        rows.append([w("first_year"), total.raw, w("calculated", formula=_total_formula(c))])
        evidence.append(total.id)
    terms = [line for line in lines if not line.amount]
    body: list[TextBlock] = [c.block(w("cost_terms", terms=w.list([t.name for t in terms])))] if terms else []
    evidence += [i for line in terms for i in line.evidence]
    evidence += [i for p in c.material.cost for i in p.evidence]  # told in full in the speaker notes
    taxed = any(re.search(r"税込|税抜|税別|非課税|\btax|\bvat\b", p.text, re.IGNORECASE) for p in c.material.cost)
    body += [] if taxed else [c.block(w("cost_tax"))]
    body.append(c.block(w("cost_quote")))
    table = Table(columns=[w("item"), w("amount"), w("remark")], rows=rows, evidence=list(dict.fromkeys(evidence)))
    return c.slide(point, _cost_title(amounts, total, c), body, evidence=evidence, table=table)


def _open_cost(point: StoryPoint, c: Context) -> Slide:
    """No amount is known: each product with an open cell, and the terms that are."""
    w = c.words
    c.note(
        point.id,
        "cost_unknown",
        "warn",
        "費用の記載がないため、要確認としました。",
        "No cost is given; it is marked to be confirmed.",
    )
    names = [short_name(p) for p in c.material.products[:5]] or [c.products]
    body = [*(c.block(line.name, evidence=line.evidence) for line in c.costs), c.block(w("cost_quote"))]
    table = Table(columns=[w("item"), w("amount"), w("remark")], rows=[[n, w("to_confirm"), ""] for n in names])
    told = [i for p in c.material.cost for i in p.evidence]
    return c.slide(point, w("cost_unknown"), body, evidence=told, table=table)


MOST_PARTS = 40  # characters of names and amounts that a title takes; of English twice as many


def _cost_title(amounts: list[CostLine], total: EvidenceNumber | None, c: Context) -> str:
    w = c.words
    addable = [line for line in amounts if line.kind in ("once", "monthly", "yearly")]
    named = [f"{line.name} {line.amount}" for line in (addable if total else amounts)[:3]]
    while len(named) > 1 and sum(map(len, named)) > MOST_PARTS * (2 if c.language == "en" else 1):
        named.pop()
    parts = w.list(named)
    if total:
        most = len(parts) > MOST_PARTS * (2 if c.language == "en" else 1) or len(named) < len(addable)
        return w("cost_title", head=w("first_year"), amount=total.raw) if most else w("cost_total", parts=parts, total=total.raw)
    budgets = [line.amount for line in amounts if line.kind == "budget"]
    if budgets and not addable:
        return w("cost_budget_title", parts=w.list(budgets[:2]))
    return w("cost_parts" if addable else "cost_conditions", parts=parts)


def _addable(c: Context) -> dict[str, list[EvidenceNumber]]:
    parts: dict[str, list[EvidenceNumber]] = {"once": [], "monthly": [], "yearly": []}
    for line in c.costs:
        if line.kind in parts and line.number:
            parts[line.kind].append(line.number)
    return parts


def _total(c: Context) -> EvidenceNumber | None:
    """The first year's sum; None for a single one-off amount or mixed currencies."""
    parts = _addable(c)
    members = [n for group in parts.values() for n in group]
    if len({n.unit.split("/")[0] for n in members}) != 1 or (len(members) < 2 and not parts["monthly"]):
        return None
    return c.calculator.first_year(parts["once"], parts["monthly"], parts["yearly"], c.words("first_year"))


def _total_formula(c: Context) -> str:
    parts = _addable(c)
    times = "か月" if c.language == "ja" else " months"
    return " + ".join(
        [n.raw for n in parts["once"]]
        + [f"{n.raw} × 12{times}" for n in parts["monthly"]]
        + [n.raw for n in parts["yearly"]]
    )
