"""The model's part: the message of a slide and explaining lines, from closed material with slots for figures.

Everything asked is independent and sent together; what fails :mod:`verify` is asked once more with the reason, and then
left as the rules wrote it. The model never sees a figure, so it cannot change one.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from apps.common.client import Answer, Question
from apps.common.provenance import Origin
from apps.proposals.evidence.figures import quantities
from apps.proposals.model import Deck, EvidenceNumber, Finding, Slide, Storyline, StoryPoint, TextBlock
from apps.proposals.story.material import Material
from apps.proposals.writing.context import Context, affinity
from apps.proposals.writing.names import short_name
from apps.proposals.writing.verify import SLOT, Link, Verdict, verify
from kakehashi import prompts
from kakehashi.errors import KakehashiError

MESSAGES = ("issues", "proposal")
MAX_LINES = 3


class Asker(Protocol):
    """Asks independent questions together (:class:`apps.common.client.GatewayClient`)."""

    def ask_many(self, questions: Sequence[Question]) -> list[Answer | KakehashiError]: ...


@lru_cache
def _tasks() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = yaml.safe_load((Path(__file__).parent / "tasks.yaml").read_text("utf-8"))
    return loaded


@dataclass
class Wish:
    """One text wanted from the model: the prompt, its task, the length it may have, and what to do with it."""

    prompt: str
    name: str
    task: str
    limit: int
    use: Callable[[Verdict, Origin], None]
    others: tuple[str, ...] = ()
    reason: str = ""


class Scribe:
    """One run of wording. ``stage``: done, failed (nothing came of it, see ``error``), or not_run (no model given)."""

    def __init__(
        self,
        context: Context,
        asker: Asker | None,
        *,
        instruction: str = "",
        fresh: bool = False,
        budget_s: float = 120.0,
    ) -> None:
        self.budget_s = budget_s
        self.context, self.asker, self.instruction, self.fresh = context, asker, instruction, fresh
        self.stage = "not_run"
        self.error: KakehashiError | None = None
        self.findings: list[Finding] = []
        self.calls = 0
        self.rejected = 0
        self.tokens = {"input": 0, "output": 0}
        self._numbers = offered(context)
        self._shared = shared_material(context, self._numbers, instruction)
        self._known = known_text(context)
        self._links = links(context)

    def messages(self, points: list[StoryPoint]) -> None:
        """A message for slides whose title is a matter of wording; the others keep the rules' title and figures."""
        wishes = [
            self._message_wish(p, tuple(o.message for o in points if o is not p))
            for p in points
            if p.kind in MESSAGES and not p.locked
        ]
        self._ask(wishes)

    def _message_wish(self, point: StoryPoint, others: tuple[str, ...]) -> Wish:
        def use(verdict: Verdict, origin: Origin) -> None:
            point.message, point.origin = verdict.text, origin
            point.evidence = list(dict.fromkeys([*verdict.evidence, *self.context.material.cite(verdict.text)]))

        return Wish("proposals.message", point.kind, _tasks()[point.kind][self.context.language], 60, use, others)

    def word(self, slides: list[Slide], on_done: Callable[[int], None] = lambda done: None) -> None:
        """Explaining lines below needs and products; on a single slide written anew, its title too."""
        wishes = [wish for slide in slides for wish in self._slide_wishes(slide)]
        self._ask(wishes)
        on_done(len(slides))

    def _slide_wishes(self, slide: Slide) -> list[Wish]:
        m, tasks, language = self.context.material, _tasks(), self.context.language
        found: list[Wish] = []
        if self.fresh and slide.kind in MESSAGES:
            found.append(
                Wish(
                    "proposals.message",
                    slide.kind,
                    tasks[slide.kind][language],
                    60,
                    lambda v, o: _set_title(slide, v, o),
                )
            )
        if slide.kind == "proposal":
            for index, product in enumerate(m.products[:MAX_LINES]):
                needs = self.context.needs_of(product, index)
                if needs and product.rest:  # without a description there is nothing to say how it helps
                    task = tasks["product_line"][language].format(
                        product=self._slotted(short_name(product)), need=self._slotted(needs[0].head)
                    )
                    found.append(self._line(slide, product.head, "product_line", task))
        return found

    def _line(self, slide: Slide, head: str, name: str, task: str) -> Wish:
        """A line directly below the block with this head."""

        def use(verdict: Verdict, origin: Origin) -> None:
            place = next((i for i, b in enumerate(slide.body) if b.level == 0 and b.text == head), None)
            if place is None:
                return
            evidence = list(dict.fromkeys([*verdict.evidence, *self.context.material.cite(verdict.text)]))
            slide.body[place + 1 : place + 1] = [
                TextBlock(text=verdict.text, level=1, evidence=evidence, origin=origin)
            ]
            generic = self.context.words("issue_plain")
            slide.body[:] = [b for b in slide.body if b.text != generic]
            slide.evidence = list(dict.fromkeys([*slide.evidence, *evidence]))

        return Wish("proposals.line", name, task, 80, use, tuple(b.text for b in slide.body))

    def _slotted(self, text: str) -> str:
        return slotted(text, self.context.material, self._numbers)

    def _ask(self, wishes: list[Wish]) -> None:
        """Ask all, then once more those that failed the check. Texts accepted earlier count as taken for later ones."""
        if self.asker is None or not wishes:
            self.stage = "not_run" if self.asker is None else "done"
            return
        if self.error is not None:  # it was not there a moment ago: do not wait for it again
            self._close(0, len(wishes))
            return
        left, answered, started = wishes, 0, time.monotonic()
        taken: list[str] = []
        for _ in range(2):
            results = self.asker.ask_many([self._question(w) for w in left])
            self.calls += len(left)
            again: list[Wish] = []
            for wish, result in zip(left, results, strict=True):
                if isinstance(result, KakehashiError):
                    self.error = result
                    continue
                answered += 1
                self._count(result)
                verdict = self._judge(wish, result, tuple(taken))
                if verdict.text:
                    taken.append(verdict.text)
                    wish.use(verdict, result.origin)
                else:
                    self.rejected += 1
                    wish.reason = _tasks()["repair"][self.context.language].format(
                        answer=_short(result), reason=verdict.reason
                    )
                    again.append(wish)
            left = again
            if not left or answered == 0 or time.monotonic() - started > self.budget_s:
                break
        self._close(answered, len(wishes))

    def _close(self, answered: int, wanted: int) -> None:
        self.stage = "failed" if answered == 0 or (self.error and answered < wanted) else "done"
        if self.stage == "failed":
            reason = str(self.error) if self.error else ""
            if self.error and self.error.code == "model_timeout":
                limit = round(self.budget_s)
                reason += f" 1工程の上限 {limit}秒" if self.context.language == "ja" else f" {limit} s for each step"
            text = (
                f"モデルを使えなかったため、規則で作った文のままです（{reason}）。"
                if self.context.language == "ja"
                else f"The model could not be used; the deck keeps the wording made by rules ({reason})."
            )
            self.findings.append(Finding(slide="", rule="model_unavailable", severity="warn", message=text))

    def _question(self, wish: Wish) -> Question:
        tasks, language = _tasks(), self.context.language
        task = wish.task + (f"\n{wish.reason}" if wish.reason else "")
        key = "message" if wish.prompt == "proposals.message" else "line"
        values = {
            "system": tasks["system"][language],
            "example": tasks["example"][language].replace("{task}", _example_task(wish.name, language)),
            "answer": json.dumps({key: tasks[f"example_{wish.name}"][language]}, ensure_ascii=False),
            "material": self._shared,
            "task": task,
        }
        return Question(
            prompts.load(wish.prompt), values, settings={"temperature": 0.4} if self.fresh or wish.reason else {}
        )

    def _judge(self, wish: Wish, answer: Answer, taken: tuple[str, ...]) -> Verdict:
        value = next(iter(answer.data.values()), "") if isinstance(answer.data, dict) else ""
        if not isinstance(value, str) or not value.strip():
            return Verdict(reason="JSON" if self.context.language == "en" else "答えの形が違います")
        return verify(
            value,
            self._known,
            self._numbers,
            self.context.language,
            limit=wish.limit,
            others=(*wish.others, *taken),
            links=self._links,
        )

    def _count(self, answer: Answer) -> None:
        for name in self.tokens:
            self.tokens[name] += answer.usage.get(name, 0)


def _example_task(name: str, language: str) -> str:
    need, product = (
        ("在庫の把握に時間がかかる", "倉庫管理サービス")
        if language == "ja"
        else ("stock takes long to count", "warehouse service")
    )
    return _tasks()[name][language].replace("{need}", need).replace("{product}", product)


def _short(answer: Answer) -> str:
    value = next(iter(answer.data.values()), "") if isinstance(answer.data, dict) else answer.text
    return str(value)[:80]


def _set_title(slide: Slide, verdict: Verdict, origin: Origin) -> None:
    slide.title, slide.origin = verdict.text, origin
    slide.evidence = list(dict.fromkeys([*verdict.evidence, *slide.evidence]))


def offered(context: Context) -> dict[str, EvidenceNumber]:
    """The figures the model may name: those of the effect and those about the needs; few, so that it chooses well."""
    m = context.material
    chosen = [n for p in context.effects.pairs[:2] for n in (p.before, p.after, p.difference)]
    chosen += [m.number(i) for p in (*m.needs, *m.effects) for i in p.evidence if i[0] == "E" and i not in m.unusable]
    chosen += [n for p in m.needs for n in m.numbers_about(p.text, 2)]
    return {n.id: n for n in chosen[:10]}


def slotted(text: str, material: Material, numbers: dict[str, EvidenceNumber]) -> str:
    """A text with its figures as slots; figures without a number in the ledger become 〇."""
    out = text
    for figure in reversed(quantities(text)):
        name = next((n.id for n in numbers.values() if n.raw == figure.text), "") or next(
            iter(material.cite(figure.text)), ""
        )
        if name:
            numbers.setdefault(name, material.number(name))
        out = out[: figure.start] + (f"{{{{{name}}}}}" if name else "〇") + out[figure.end :]
    return out


def shared_material(context: Context, numbers: dict[str, EvidenceNumber], instruction: str) -> str:
    """The part all questions of a deck share (and the engine computes once): the client's facts without any figure."""
    m, t, language = context.material, _tasks(), context.language
    brief = m.brief

    def line(key: str, text: str) -> str:
        return f"{t[key][language]}: {text}" if text else ""

    def bullets(key: str, texts: list[str]) -> str:
        return "\n".join([f"{t[key][language]}:", *(f"- {slotted(x, m, numbers)}" for x in texts)]) if texts else ""

    quotes = [s for p in (*m.needs[:3], *m.products[:2]) for s in m.related(p.text, 1)]
    fenced = [
        f"<<<DOCUMENT {s.id}\n{_safe(slotted(s.text[:160], m, numbers))}\nDOCUMENT>>>"
        for s in {s.id: s for s in quotes}.values()
    ][:4]
    parts = [
        line("client", slotted(f"{brief.client} {brief.industry}".strip(), m, numbers)),
        bullets("needs", [p.text for p in m.needs[:5]]),
        bullets("products", [p.text for p in m.products[:5]]),
        bullets("effects", [p.text for p in m.effects[:2]]),
        "\n".join(fenced),
        line("audience", brief.audience),
        line("tone", brief.tone),
        line("wish", instruction[:200]),
    ]
    marks = "\n".join(
        f"- {{{{{n.id}}}}} = {n.label} {re.sub('[0-9０-９]+', '〇', n.period)}".rstrip()
        for n in list(numbers.values())[:12]
    )
    parts.insert(4, f"{t['numbers'][language]}:\n{marks}" if marks else "")
    return "\n".join(p for p in parts if p)


def _safe(text: str) -> str:
    """Document text cannot close its own fence."""
    return text.replace("DOCUMENT>>>", "DOCUMENT> > >").replace("<<<DOCUMENT", "< < <DOCUMENT")


def links(context: Context) -> tuple[Link, ...]:
    """Which product answers which need and which measure of the effect."""
    products = context.material.products
    found = [Link(n.topic, short_name(p)) for i, p in enumerate(products) for n in context.needs_of(p, i)]
    for pair in context.effects.pairs if len(products) > 1 else []:
        scores = [affinity(pair.label, p.text) for p in products]
        if max(scores) > 0:
            found.append(Link(pair.label, short_name(products[scores.index(max(scores))])))
    return tuple(found)


def known_text(context: Context) -> str:
    """All words a sentence may rest on: the brief, the visible snippets near its points, labels of figures."""
    m = context.material
    points = [p for group in (m.needs, m.products, m.effects, m.risks, m.schedule, m.cost) for p in group]
    texts = [
        m.brief.client,
        m.brief.industry,
        m.brief.title,
        m.brief.audience,
        m.brief.free_text,
        *(p.text for p in points),
    ]
    texts += [s.text for p in (*m.needs, *m.products) for s in m.related(p.text, 3)]
    texts += [n.label for n in m.usable()[:200]]
    return "\n".join(texts)


def origins(deck: Deck, storyline: Storyline) -> dict[str, Any]:
    """Who made the deck: models, prompts, policies, request ids, gathered from every item."""
    found = [o for s in deck.slides for o in (s.origin, *(b.origin for b in s.body)) if o] + [
        p.origin for p in storyline.points if p.origin
    ]
    return {
        "models": sorted({o.model for o in found if o.model}),
        "prompts": sorted({o.prompt for o in found if o.prompt}),
        "policies": sorted({o.policy for o in found if o.policy}),
        "request_ids": sorted({r for o in found for r in o.request_ids}),
    }


__all__ = ["SLOT", "Asker", "Scribe", "origins"]
