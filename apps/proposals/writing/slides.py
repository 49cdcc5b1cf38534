"""Deterministic slides: one writer per kind, from the closed material only. The model may later reword, never add."""

from __future__ import annotations

from collections.abc import Callable

from apps.proposals.model import Slide, StoryPoint, Table, TextBlock
from apps.proposals.story.material import Point, grams
from apps.proposals.writing.appendix import MAX_OTHERS, write_appendix
from apps.proposals.writing.context import Context
from apps.proposals.writing.data_slides import write_comparison, write_cost, write_effect
from apps.proposals.writing.names import short_name
from apps.proposals.writing.plan import Dated, month_of, read_schedule, schedule_of


def write_slide(point: StoryPoint, context: Context) -> Slide:
    """The slide of a story point. A message that a person or the model gave stays its title."""
    slide = WRITERS[point.kind](point, context)
    if point.message:
        slide.title = point.message
        slide.evidence = list(dict.fromkeys([*point.evidence, *context.material.cite(point.message), *slide.evidence]))
    slide.origin = point.origin
    slide.locked = point.locked
    slide.notes = talk(slide, context)
    return slide


def message_of(point: StoryPoint, context: Context) -> str:
    """The message the rules give a point."""
    return WRITERS[point.kind](point, context).title


def write_title(point: StoryPoint, c: Context) -> Slide:
    brief = c.material.brief
    title = brief.title or c.words("deck_title", products=c.products)
    subtitle = c.words("deck_subtitle", audience=brief.audience) if brief.audience else c.words("deck_subtitle_plain")
    return c.slide(point, title, subtitle=subtitle, sources=[])


def write_agenda(point: StoryPoint, c: Context) -> Slide:
    kinds = ["others" if p.topic == "others" else p.kind for p in c.points if p.kind not in ("title", "agenda")]
    names = [c.words.section(k) for k in dict.fromkeys(kinds)]
    m = c.material
    product = short_name(m.products[0]) if m.products else c.products
    title = c.words("agenda_title", topic=m.lead.gist, product=product)
    return c.slide(point, title, [TextBlock(text=name) for name in names], sources=[])


def write_summary(point: StoryPoint, c: Context) -> Slide:
    w, m = c.words, c.material
    first = next(iter(c.effects.pairs), None)
    if first:
        title = w(
            "summary_pair",
            products=c.products,
            label=first.label,
            before=first.before.raw,
            after=first.after.raw,
            verb=w(("reduce" if first.down else "raise") + ("_rate" if first.before.unit == "%" else "")),
        )
    else:
        more = w("more_issues", n=len(m.needs) if c.language == "ja" else len(m.needs) - 1) if len(m.needs) > 1 else ""
        title = w("summary_plain", products=c.products, gist=m.lead.gist, more=more)
    colon = "：" if c.language == "ja" else ": "
    heads = _within([p.gist for p in m.needs], c)
    body = [c.block(w("issue_head") + colon + heads, evidence=[i for p in m.needs[:3] for i in p.evidence])]
    offers = _within([short_name(p) for p in m.products] or [c.products], c)
    body.append(c.block(w("proposal_head") + colon + offers))
    if first:
        percent = (
            f"（{first.percent.raw}）"
            if first.percent and c.language == "ja"
            else f" ({first.percent.raw})"
            if first.percent
            else ""
        )
        arrow = f"{first.label} {first.before.raw} → {first.after.raw}{percent}"
        body.append(c.block(w("effect_head") + colon + arrow, evidence=first.evidence))
    elif m.effects:
        body.append(c.block(w("effect_head") + colon + _within([p.text for p in m.effects], c)))
    amounts = [f"{line.name} {line.amount}" for line in c.costs if line.amount and line.kind != "terms"]
    body.append(
        c.block(
            w("cost_head") + colon + (_within(amounts, c) if amounts else w("to_confirm")),
            evidence=[i for line in c.costs for i in line.evidence],
        )
    )
    if m.schedule:
        body.append(
            c.block(
                w("schedule_head")
                + colon
                + " → ".join(
                    p.text.rstrip("。.")
                    for p in (m.schedule if len(m.schedule) < 3 else (m.schedule[0], m.schedule[-1]))
                )
            )
        )
    return c.slide(point, title, body, evidence=first.evidence if first else None)


SUMMARY_LINE = {"ja": 56, "en": 110}  # characters of one point of the summary: it stays on one page


def _within(texts: list[str], c: Context) -> str:
    """As many of the texts as one line of the summary holds; the rest is counted (it has slides of its own)."""
    shown = texts[:1]
    for text in texts[1:]:
        if sum(map(len, shown)) + len(text) > SUMMARY_LINE[c.language]:
            break
        shown.append(text)
    rest = len(texts) - len(shown)
    return ("／" if c.language == "ja" else "; ").join(shown) + (c.words("and_others", n=rest) if rest else "")


def write_issues(point: StoryPoint, c: Context) -> Slide:
    m, w = c.material, c.words
    title = w("issues_one" if len(m.needs) == 1 else "issues_many", gist=m.lead.gist, n=len(m.needs))
    body: list[TextBlock] = []
    used: set[str] = set()
    for need in m.needs[:5]:
        body.append(c.block(need.head, evidence=need.evidence))
        details = ([need.rest] if need.rest else []) + _facts(need, c, used)
        answers = [short_name(p) for i, p in enumerate(m.products) if need in c.needs_of(p, i)]
        plain = [w("issue_answer", products=w.join(answers, 2))] if answers and len(m.needs) > 1 else [w("issue_plain")]
        for detail in details[:2] or plain:
            body.append(c.block(detail, 1))
    return c.slide(point, title, body, evidence=[i for p in m.background for i in p.evidence])


def _facts(need: Point, c: Context, used: set[str]) -> list[str]:
    """What figures say about a need: a development over time, else related single figures. Each figure is told once."""
    for trend in c.effects.trends:
        if trend.label not in used and any(n in trend.numbers for n in c.material.numbers_about(need.text, 12)):
            first, last = trend.numbers[0], trend.numbers[-1]
            used.add(trend.label)
            used.update(n.id for n in trend.numbers)
            return [
                c.words("issue_trend", label=trend.label, p1=first.period, v1=first.raw, p2=last.period, v2=last.raw)
            ]
    m = c.material
    paired = {pair.after.id for pair in c.effects.pairs} | m.told_by(
        m.effects, m.cost, m.schedule, m.comparison, m.products, m.needs
    )
    found = [n for n in c.material.numbers_about(need.text, 4) if n.id not in used | paired and not n.formula][:2]
    used.update(n.id for n in found)
    return [c.words("issue_numbers", numbers=c.words.list([c.number_text(n) for n in found]))] if found else []


def write_proposal(point: StoryPoint, c: Context) -> Slide:
    m, w = c.material, c.words
    if not m.products:
        c.note(
            point.id,
            "products_missing",
            "warn",
            "ブリーフに提案商品が見当たりません。提案する商品・サービスを書き加えてください。",
            "The brief names no product; add what is to be proposed.",
        )
    many = len(m.needs) > 1 and len(m.products) > 1
    title = (
        w("proposal_many", products=c.products, topic=m.lead.gist, n=len(m.needs))
        if many
        else w("proposal_one", gist=m.lead.gist, products=c.products)
    )
    body: list[TextBlock] = []
    for index, product in enumerate(m.products[:5]):
        body.append(c.block(product.head, evidence=product.evidence))
        description = product.rest or _described(product, c)
        if description:
            body.append(c.block(description, 1))
        answered = c.needs_of(product, index)
        if answered:
            body.append(c.block(w("proposal_for", needs=w.list([n.topic for n in answered])), 1))
    return c.slide(point, title, body or [c.block(c.products)], notices=c.disclosure.beside[:2])


def _described(product: Point, c: Context) -> str:
    """What an attachment says of a product: the first short visible sentence that names it."""
    name = short_name(product)
    for snippet in c.material.ledger.snippets:
        if snippet.hidden or snippet.file == c.material.brief_file() or "=" in snippet.text:
            continue
        if name in snippet.text and len(name) + 6 < len(snippet.text) <= 90:
            return snippet.text.rstrip("。")
    return ""


def write_schedule(point: StoryPoint, c: Context) -> Slide:
    w, m = c.words, c.material
    dated, calendar = read_schedule(m.schedule, m.today.year, m.today.month)
    evidence = [i for p in m.schedule for i in p.evidence]
    if dated:
        undated = [p.text for p in m.schedule if p.text not in {d.text for d in dated}]
        title = _schedule_title(dated, calendar, c)
        body = [c.block(text) for text in undated[:3]] or [c.block(w("schedule_note"))]
        return c.slide(point, title, body, evidence=evidence, schedule=schedule_of(dated, calendar, w))
    phases = STANDARD["en" if c.language == "en" else "ja"]
    c.note(
        "schedule",
        "schedule_assumed",
        "warn",
        "日程の記載がないため、標準的な進め方の案を置きました。確定した日程に直してください。",
        "The brief has no dated schedule; a standard draft plan was placed. Replace it with agreed dates.",
    )
    from apps.proposals.model import Phase, Schedule

    plan = Schedule(
        columns=[w("month_n", n=i) for i in range(1, 5)],
        phases=[Phase(name=n, start=a, end=b, detail=d) for n, a, b, d in phases],
    )
    body = [c.block(p.text, evidence=p.evidence) for p in m.schedule[:3]] + [c.block(w("schedule_note"))]
    return c.slide(point, w("schedule_draft", n=4), body, evidence=evidence, schedule=plan)


def _schedule_title(dated: list[Dated], calendar: bool, c: Context) -> str:
    first, last = min(dated, key=lambda d: d.start), max(dated, key=lambda d: d.end)

    def printed(month: int) -> str:
        return month_of(month, c.language) if calendar else c.words("month_n", n=month + 1)

    if len(dated) == 1:
        key = "schedule_goal" if first.name else "schedule_start"
        return c.words(key, first=printed(first.start), name=first.name)
    return c.words(
        "schedule_named",
        first=printed(first.start),
        name1=_shortened(first.name or c.words("start")),
        last=printed(last.end),
        name2=_shortened(last.name or c.words("start")),
        n=len(dated),
    )


def _shortened(name: str) -> str:
    return name if len(name) <= 16 or name.isascii() else name[:15] + "…"


STANDARD = {
    "ja": (
        ("現状と条件の確認", 0, 0, ""),
        ("お申し込み・審査・社内手続", 0, 1, ""),
        ("ご契約・準備", 1, 2, ""),
        ("開始・効果の確認", 3, 3, ""),
    ),
    "en": (
        ("Confirm facts and terms", 0, 0, ""),
        ("Application and approval", 0, 1, ""),
        ("Contract and set-up", 1, 2, ""),
        ("Start and review", 3, 3, ""),
    ),
}


def write_risks(point: StoryPoint, c: Context) -> Slide:
    m, w = c.material, c.words
    pairs: list[tuple[str, str, tuple[str, ...]]] = []
    standard = list(c.disclosure.risks)
    for risk in m.risks[:4]:
        head, response = _risk_parts(risk)
        pairs.append(
            (
                head,
                w("risk_response", text=response) if response else _standard_response(head, standard, c),
                risk.evidence,
            )
        )
    for head, response in standard:
        if len(pairs) < 4 and not any(grams(head) & grams(p[0]) for p in pairs):
            pairs.append((head, w("risk_response", text=response), ()))
    body: list[TextBlock] = []
    for head, response, evidence in pairs[:5]:
        body += [c.block(head, evidence=evidence), c.block(response, 1)]
    return c.slide(point, w("risks_title", risk=pairs[0][0]), body)


def _risk_parts(risk: Point) -> tuple[str, str]:
    if risk.rest:
        return risk.head, risk.rest.removeprefix("対応策").removeprefix("対応").removeprefix("対策").lstrip("：: 、")
    for mark in ("→", "⇒", "->"):
        if mark in risk.text:
            head, _, response = risk.text.partition(mark)
            return head.strip(), response.strip()
    return risk.text, ""


def _standard_response(head: str, standard: list[tuple[str, str]], c: Context) -> str:
    """The registry's response to a risk in the same words, else an open one."""
    best = max(standard, key=lambda pair: len(grams(pair[0]) & grams(head)), default=None)
    if best and len(grams(best[0]) & grams(head)) >= 2:
        standard.remove(best)
        return c.words("risk_response", text=best[1])
    c.note(
        "risks",
        "risk_response_open",
        "info",
        f"リスク「{head[:40]}」への対応が資料にありません（要確認）。",
        f"No response to the risk '{head[:60]}' is given (to be confirmed).",
    )
    return c.words("risk_open")


def write_notes(point: StoryPoint, c: Context) -> Slide:
    return c.slide(point, c.words("notes_title"), [TextBlock(text=text) for text in c.disclosure.notices], sources=[])


def write_process(point: StoryPoint, c: Context) -> Slide:
    w, m = c.words, c.material
    product = short_name(m.products[0]) if m.products else c.products
    steps = [
        (w("step_confirm"), w("step_confirm_detail", topic=m.needs[0].topic)),
        (w("step_terms"), w("step_terms_detail", product=product)),
        (w("step_decide"), w("step_decide_detail", audience=m.brief.audience or w("audience_default"))),
    ]
    body = [b for head, detail in steps for b in (c.block(head), c.block(detail, 1))]
    return c.slide(point, w("process_title", n=len(steps)), body, sources=[])


def write_text(point: StoryPoint, c: Context) -> Slide:
    """A closer look at one need or one product (``topic`` is ``need:0``, ``product:1``)."""
    kind, _, index = point.topic.partition(":")
    if kind == "need" and index.isdigit() and int(index) < len(c.material.needs):
        return _need_slide(point, c.material.needs[int(index)], c)
    if kind == "product" and index.isdigit() and int(index) < len(c.material.products):
        return _product_slide(point, c.material.products[int(index)], int(index), c)
    facts = [c.block(s.text, evidence=[s.id]) for s in c.material.related(point.message or point.topic, 4)]
    return c.slide(
        point, point.message or point.topic or c.words("section_text"), facts or [c.block(c.words("to_confirm"))]
    )


def _need_slide(point: StoryPoint, need: Point, c: Context) -> Slide:
    w = c.words
    numbers = [c.number_text(n) for n in c.material.numbers_about(need.text, 3)]
    quotes = [s for s in c.material.related(need.text, 2) if "=" not in s.text and len(s.text) <= 120]
    products = [p for i, p in enumerate(c.material.products) if need in c.needs_of(p, i)]
    body = [
        c.block(w("text_fact")),
        c.block(need.text, 1, need.evidence),
        *(c.block(t, 1) for t in numbers),
        *(c.block(s.text, 1, [s.id]) for s in quotes),
    ]
    if products:
        body += [c.block(w("text_do")), *(c.block(p.text, 1, p.evidence) for p in products)]
    return c.slide(point, w("text_need", topic=need.topic), body)


def _product_slide(point: StoryPoint, product: Point, index: int, c: Context) -> Slide:
    w = c.words
    description = [t for t in (product.rest or _described(product, c),) if t]
    quotes = [
        s
        for s in c.material.related(product.name, 3)
        if "=" not in s.text and len(s.text) <= 120 and s.text.rstrip("。") not in description
    ]
    body = [c.block(w("role")), *(c.block(n.text, 1, n.evidence) for n in c.needs_of(product, index))]
    if description or quotes:
        body += [
            c.block(w("features")),
            *(c.block(t, 1) for t in description),
            *(c.block(s.text, 1, [s.id]) for s in quotes),
        ]
    return c.slide(point, w("text_product", product=short_name(product)), body)


def talk(slide: Slide, c: Context) -> str:
    """Speaker notes: what to say, what is for internal eyes, and the evidence behind every figure."""
    w, m = c.words, c.material
    mark = "。" if c.language == "ja" else "."
    heads = [b.text.rstrip("。.") for b in slide.body if b.level == 0][:4]
    said = w(
        f"talk_{slide.kind}" if slide.kind in _TALKS else "talk_text",
        title=slide.title.rstrip("。."),
        client=m.brief.client,
        products=c.products,
        points=("。" if c.language == "ja" else ". ").join(heads) or slide.title.rstrip(mark),
    )
    lines = [w("talk_label"), said]
    inside = _internal(slide, c)
    if inside:
        lines += [w("internal_label"), *inside]
    known = {n.id: n for n in m.ledger.numbers}
    hearsay = {i for p in m.background for i in p.evidence}
    cited = [known[i] for i in slide.evidence if i in known and i not in hearsay]
    if cited:
        lines.append(w("evidence_label"))
    for number in cited[:12]:
        origin = (
            w("calculated", formula=number.formula)
            if number.formula
            else f"{m.source_of(number).file} {number.locator}".strip()
        )
        lines.append(f"{number.id} {c.number_text(number)} ← {origin}")
    return "\n".join(lines)


def _internal(slide: Slide, c: Context) -> list[str]:
    """What only the seller should see: competitors with the comparison, what was said of cost and dates there, the
    background and further points with the issues (points that have a slide of their own stand there)."""
    m = c.material
    if slide.kind in ("comparison", "cost", "schedule"):
        return _heard({"comparison": m.comparison, "cost": m.cost, "schedule": m.schedule}[slide.kind], c)
    if slide.kind != "issues":
        return []
    kept = m.others[MAX_OTHERS:] if any(p.topic == "others" for p in c.points) else m.others
    return _heard([*m.background, *(Point(f"{heading}：{p.text}") for heading, p in kept)], c)


def _heard(points: list[Point], c: Context) -> list[str]:
    """The lines of the brief as they were written: a table or a time axis shows the figures, not every word."""
    return (
        [c.words("background_label") + ("：" if c.language == "ja" else ":"), *(p.text for p in points)]
        if points
        else []
    )


_TALKS = frozenset(
    (
        "title",
        "agenda",
        "summary",
        "issues",
        "proposal",
        "effect",
        "comparison",
        "schedule",
        "cost",
        "risks",
        "notes",
        "process",
        "text",
        "appendix",
    )
)
WRITERS: dict[str, Callable[[StoryPoint, Context], Slide]] = {
    "title": write_title,
    "agenda": write_agenda,
    "summary": write_summary,
    "issues": write_issues,
    "proposal": write_proposal,
    "effect": write_effect,
    "comparison": write_comparison,
    "schedule": write_schedule,
    "cost": write_cost,
    "risks": write_risks,
    "notes": write_notes,
    "process": write_process,
    "appendix": write_appendix,
    "text": write_text,
    "team": write_text,
    "case": write_text,
}
__all__ = ["Table", "message_of", "talk", "write_slide"]
