"""What every slide writer needs: the closed material, the words of the language, calculations, comparisons, notices."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from apps.proposals.disclosures import Disclosure
from apps.proposals.language import pick
from apps.proposals.model import EvidenceNumber, Finding, Slide, SlideKind, StoryPoint, TextBlock
from apps.proposals.story.material import Material, Point, grams
from apps.proposals.writing.effect import Effects
from apps.proposals.writing.names import short_name
from apps.proposals.writing.plan import CostLine
from apps.proposals.writing.values import Calculator
from apps.proposals.writing.words import Words


@dataclass
class Context:
    material: Material
    words: Words
    calculator: Calculator
    effects: Effects
    disclosure: Disclosure
    costs: list[CostLine]
    points: list[StoryPoint] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def language(self) -> str:
        return self.words.language

    @property
    def products(self) -> str:
        """The products by name, joined; measures on the first need when the brief names none."""
        names = [short_name(p) for p in self.material.products]
        return self.words.join(names, 2) if names else self.words("no_product", topic=self.material.needs[0].topic)

    def block(self, text: str, level: int = 0, evidence: tuple[str, ...] | list[str] = ()) -> TextBlock:
        """A block of text with its ids; figures in it are cited from the ledger."""
        return TextBlock(text=text, level=level, evidence=list(dict.fromkeys([*evidence, *self.material.cite(text)])))

    def note(self, slide: str, rule: str, severity: str, ja: str, en: str) -> None:
        finding = Finding.model_validate(
            {"slide": slide, "rule": rule, "severity": severity, "message": pick(self.language, ja, en)}
        )
        if finding not in self.findings:
            self.findings.append(finding)

    def slide(
        self,
        point: StoryPoint,
        title: str,
        body: list[TextBlock] | None = None,
        *,
        evidence: list[str] | None = None,
        **more: object,
    ) -> Slide:
        """A slide with its message, its ids gathered from all parts, and the sources named at the foot."""
        blocks = body or []
        title = title if self.language == "ja" else title[:1].upper() + title[1:]
        ids = [*(evidence or []), *self.material.cite(title), *(i for b in blocks for i in b.evidence)]
        unique = list(dict.fromkeys(ids))
        sources = more.pop("sources", None) or self.sources(unique)
        return Slide.model_validate(
            {
                "id": point.id or point.kind,
                "kind": point.kind,
                "title": title,
                "body": blocks,
                "evidence": unique,
                "sources": sources,
                **more,
            }
        )

    def sources(self, ids: list[str]) -> list[str]:
        """File names of the attachments behind ids (the brief itself is no source a client sees)."""
        known = {n.id: n.source for n in self.material.ledger.numbers}
        snippets = [self.material.snippet(known.get(i, i)) for i in ids]
        return list(dict.fromkeys(s.file for s in snippets if s.file != self.material.brief_file()))[:3]

    def number_text(self, number: EvidenceNumber) -> str:
        period = f"{number.period} " if number.period and number.period not in number.label else ""
        about = ("約" if self.language == "ja" else "about ") if number.approx else ""
        return f"{number.label} {period}{about}{number.raw}".strip()

    def needs_of(self, product: Point, index: int) -> list[Point]:
        """The needs a product answers: by shared words, else in the order given; every need finds a product."""
        products = self.material.products
        if len(products) <= 1:
            return self.material.needs
        assigned: dict[int, list[Point]] = {}
        for position, need in enumerate(self.material.needs):
            scores = [affinity(need.text, p.text) for p in products]
            best = scores.index(max(scores)) if max(scores) > 0 else min(position, len(products) - 1)
            assigned.setdefault(best, []).append(need)
        return assigned.get(index, [])


# Words of a need → words of the kind of product that answers it.
_AFFINITIES = (
    (
        "為替|円安|円高|外貨|ドル|輸出|輸入|fx|currency|yen|exchange|usd",
        "為替|外貨|通貨|ヘッジ|forward|fx|currency|hedg|option",
    ),
    (
        "資金繰り|運転資金|設備|老朽|更新|投資|借入|返済|金利|資金調達|loan|fund|equipment|financ|interest",
        "融資|ローン|リース|貸|借入|当座貸越|私募債|ファクタリング|債権|手形|ABL|loan|lease|credit|financ|factoring",
    ),
    ("承継|後継|相続|株価|自社株|succession|heir", "承継|(?<!投資)信託|遺言|M&A|相続|株|succession|trust"),
    (
        "手作業|人手|属人|時間|効率|事務|遅|月次|紙|入力|二重|配車|在庫|manual|closing|hours|reconcil|paper|slow",
        "クラウド|SaaS|DX|システム|自動|RPA|管理|電子|CMS|ポータル|portal|cloud|automation|management|software|digital",
    ),
    (
        "余剰|余資|運用|老後|資産|インフレ|預金|滞留|資本効率|surplus|idle|invest|saving",
        "投資|運用|預金|NISA|ファンド|債券|金銭信託|fund|invest|deposit",
    ),
    ("退職|年金|採用|離職|福利|人材|retire|pension|hiring", "年金|DC|福利|人材|pension|retire"),
    ("事故|災害|休業|補償|賠償|cyber|disaster", "保険|insurance"),
    (
        "入金.{0,8}遅|回収|サイト|売掛|資金繰り|receivable|late payment|cash flow",
        "ファクタリング|債権|手形割引|ABL|factoring|receivable",
    ),
    (
        "入金|支払|振込|決済|口座|残高|payment|collection|balance",
        "決済|資金管理|バンキング|振替|振込|キャッシュ|payment|cash",
    ),
)


def affinity(need: str, product: str) -> float:
    """How well a product answers a need: shared words, and the usual pairs of need and kind of product."""
    score = float(len(grams(need) & grams(product)))
    for of_need, of_product in _AFFINITIES:
        if re.search(of_need, need, re.IGNORECASE) and re.search(of_product, product, re.IGNORECASE):
            score += 2
    return score


KINDS_WITH_TALK: tuple[SlideKind, ...] = (
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
