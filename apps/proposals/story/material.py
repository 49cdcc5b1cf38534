"""The closed material of a deck: what brief and evidence say, each point with its ids; nothing else is on a slide."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from apps.common.japanese.normalise import fold, half_width, is_japanese
from apps.proposals.brief.load import BriefReading
from apps.proposals.evidence.contradictions import Disputes
from apps.proposals.evidence.figures import Figure, quantities
from apps.proposals.evidence.ledger import LedgerBuild
from apps.proposals.model import Brief, EvidenceNumber, Ledger, Snippet

_CUT_JA = re.compile(
    r"^(?P<topic>[^、。（(：:「」]{2,22}?(?<=[一-鿿々ァ-ヺーA-Za-z0-9りれけみいちげびさめえせき]))(?:が(?!ち|い|ん)|を|に(?!く)|は|で(?!き)|も|から|により|によって)(?=\s?[^\s])"
)
_PERSON = re.compile(r"^(?:社長|会長|専務|代表|先方|当社|貴社|御社|お客さま|お客様)[がはも][^、。]{1,14}、(?=.{8})")  # no topic
_ASIDE = re.compile(r"\s*[（(][^（）()]*[)）]")


_NOW_THEN = re.compile(
    r"(?:現状|現在|現行|now|today|current)\s*(?P<now>.+?)\s*→\s*(?:目標値?|導入後|今後|target|goal|after)\s*(?P<then>.+)"
)
_MOMENT = re.compile(r"(?<=.{2})の(?:とき|際|場合|ため)$")
_LEANING = re.compile(r"^(?:\d|残り|その|今は|それ|これ|一方|また|毎)")  # a clause that says nothing without the one before
_SHARE = re.compile(r"^(?:のうち|うち|程度|以上|ほど|の|、|を|が|は)+")


_TITLE_WORDS = 11  # of English that a title can quote
_CLAUSE_EN = re.compile(r"^.+?(?=,?\s(?:and|but|so|because|while|which|that|after|since)\s|[;,]\s)")
# Where the subject of an English sentence ends.
_VERB_EN = re.compile(
    r"\s(?:is|are|was|were|be|has|have|had|do(?:es)?|did|can(?:not|'t)?|could|will|would|may|might|must|should|now|still|"
    r"takes?|took|gr[eo]ws?|rises?|rose|falls?|fell|goes|went|keeps?|kept|needs?|wants?|swings?|depend(?:s|ed)?|rel(?:y|ies)|"
    r"lacks?|los(?:t|es?)|makes?|made|remains?|stays?|r[au]ns?|suffers?|faces?|expires?|matures?|causes?|leads?|leaves?|"
    r"squeezes?|doubled|tripled|increas(?:es?|ed)|decreas(?:es?|ed)|drop(?:s|ped)|eats?|hits?|reach(?:es|ed)?|exceeds?|"
    r"spends?|tak(?:es|ing)|ties|moves?|varies|vary|arrives?|comes?|came|climb(?:s|ed)|slip(?:s|ped)|erodes?|eroded)\b"
)
_LOOSE_END_EN = re.compile(
    r"(?:\s(?:an?|the|of|to|in|for|with|and|or|by|on|at|from|its|our|their|his|her|that|which|than|into|per|as|is|are))+$",
    re.IGNORECASE,
)


_PRONOUN_EN = re.compile(r"(?:^|\s)(?:they|we|you|he|she|it|who|that|which)$", re.IGNORECASE)
_THEY_EN = re.compile(r"^(?:they|we|he|she|it)\s", re.IGNORECASE)


def _topic_en(text: str) -> str:
    """The subject of an English sentence: Exports to the EU grew to 38% … → Exports to the EU; else its first words."""
    first = next((part for part in re.split(r"[,;]\s", text) if len(part.split()) > 1), text)
    verb = _VERB_EN.search(first)
    subject = first[: verb.start()] if verb and verb.start() > 1 else first
    if _PRONOUN_EN.search(subject):  # something they can show; they pay about USD 3 million: the subject says nothing
        subject = _THEY_EN.sub("", first)
        subject = subject[:1].upper() + subject[1:]
    words = " ".join(subject.split()[:6])
    return re.sub(r"^(?:the|an?|our|their|its)\s", "", _LOOSE_END_EN.sub("", words), flags=re.IGNORECASE) or words


def _bare(text: str) -> str:
    """A sentence without its asides and figures, so that its noun can be told: 年1回の旅行資金（60万円）を → 旅行資金を."""
    out = _ASIDE.sub("", text)
    for figure in reversed(quantities(out)):
        if figure.unit:
            out = out[: figure.start] + out[figure.end :]
    out = re.sub(r"(?:のうち)?、?(?=のうち|、)", "", _SHARE.sub("", out))
    out = re.sub(r"の(?:うち)?(?=[がはをに、])", "", out)  # 車両35台のうち12台が → 車両が; 資金の8割が → 資金が
    return _SHARE.sub("", out) if len(_SHARE.sub("", out)) >= 4 else text


@dataclass(frozen=True)
class Point:
    """One need, product, cost line …: its words and the ids that support it (its snippet, its numbers)."""

    text: str
    evidence: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """What stands before a colon (a product's name, a risk), without asides."""
        head = re.split(r"[:：]", self.text, maxsplit=1)[0].strip()
        return head if 1 < len(head) <= 60 else self.text

    @property
    def rest(self) -> str:
        parts = re.split(r"[:：]", self.text, maxsplit=1)
        return parts[1].strip() if len(parts) == 2 and 1 < len(parts[0].strip()) <= 60 else ""

    @property
    def name(self) -> str:
        """The head without its bracketed explanation."""
        return _ASIDE.sub("", self.head).strip() or self.head

    @property
    def topic(self) -> str:
        """What a need is about, as a noun: 円安で利益がぶれる → 円安; 人手不足 → 人手不足."""
        text = self.head
        if not is_japanese(text):
            return _topic_en(text)
        text = re.sub(r"(?<=[A-Za-z])\s+(?=[はがをにで])", "", _bare(_PERSON.sub("", text)))
        match = _CUT_JA.match(half_width(text))
        if match:
            return _MOMENT.sub("", text[: match.end("topic")])
        first = re.sub("[がはを]$", "", re.split("[、。]", text)[0])
        return first if len(first) <= 22 else first[:20].rstrip("、のをにがは") + "…"

    @property
    def now_and_then(self) -> tuple[str, str] | None:
        """What a need says of today and of the aim: 現状 月160時間 → 目標 月60時間 as (月160時間, 月60時間)."""
        match = _NOW_THEN.fullmatch(self.rest)
        return (match["now"], match["then"]) if match else None

    @property
    def gist(self) -> str:
        """A need in its own words, short enough for a title: the whole of it, else its last clause, else its topic."""
        text = _ASIDE.sub("", self.head).strip()
        if not is_japanese(text):
            clause = _CLAUSE_EN.match(text)
            shorter = clause[0].rstrip(" ,;") if clause else text
            return next((t for t in (text, shorter) if len(t.split()) <= _TITLE_WORDS), self.topic)
        if self.now_and_then:
            return f"{text}（{self.now_and_then[0]}）"
        clauses = re.split("、", text.split("。")[0])
        first, last = clauses[0].strip(), clauses[-1].strip()
        state = re.sub(r"(?:ていて|ており|ていまして)$", "ている", first)
        whole = re.search(r"(?:たい|ない|ている|れる|まる|える)$", first) is not None  # 新しい加工機を入れたい、見積りは…
        own = state if state != first or whole else ""  # 冷凍設備が老朽化していて、更新に費用がかかる: the state is the need
        return next((t for t in (text, own, last) if 6 <= len(t) <= 26 and not _LEANING.match(t)), self.topic)


@dataclass
class Material:
    """Brief, ledger and what may be used of it.

    ``others``: sections of the brief that are no known field, by their heading, for the slide of further points;
    ``background``: what only the seller should see; both are in the speaker notes when they are on no slide.
    """

    brief: Brief
    ledger: Ledger
    today: date
    needs: list[Point] = field(default_factory=list)
    products: list[Point] = field(default_factory=list)
    effects: list[Point] = field(default_factory=list)
    schedule: list[Point] = field(default_factory=list)
    cost: list[Point] = field(default_factory=list)
    risks: list[Point] = field(default_factory=list)
    comparison: list[Point] = field(default_factory=list)
    others: list[tuple[str, Point]] = field(default_factory=list)
    background: list[Point] = field(default_factory=list)
    disputed: set[str] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)

    @property
    def language(self) -> str:
        return self.brief.language

    def number(self, name: str) -> EvidenceNumber:
        return next(n for n in self.ledger.numbers if n.id == name)

    def snippet(self, name: str) -> Snippet:
        return next(s for s in self.ledger.snippets if s.id == name)

    @property
    def lead(self) -> Point:
        """The need that titles quote: the first that can be told in a few words of its own."""
        return next((need for need in self.needs if need.gist != need.topic), self.needs[0])

    def told_by(self, *groups: list[Point]) -> set[str]:
        """Ids that stand in points of the given groups (the cost, the effects …)."""
        return {i for group in groups for point in group for i in point.evidence}

    def usable(self) -> list[EvidenceNumber]:
        """Numbers that may go on slides: not expired, not the older side of a contradiction."""
        return [n for n in self.ledger.numbers if n.id not in self.unusable]

    def brief_file(self) -> str:
        return self.ledger.snippets[0].file if self.ledger.snippets else ""

    def source_of(self, number: EvidenceNumber) -> Snippet:
        return self.snippet(number.source)

    def from_attachment(self, number: EvidenceNumber) -> bool:
        return not number.formula and self.source_of(number).file != self.brief_file()

    def cite(self, text: str) -> list[str]:
        """Ids of the numbers that the figures of a text come from: same value and unit; of several, the one whose label
        the text speaks of, else the first given."""
        found: list[str] = []
        for figure in quantities(text):
            same = [n for n in self.usable() if _says(n, figure)]
            if same:
                words = grams(text)
                found.append(
                    max(
                        same, key=lambda n: (len(grams(n.label) & words), half_width(n.raw) == half_width(figure.text))
                    ).id
                )
        return list(dict.fromkeys(found))

    def related(self, text: str, limit: int = 3) -> list[Snippet]:
        """Visible snippets of the attachments nearest in words to a text."""
        wanted = grams(text)
        scored = []
        for snippet in self.ledger.snippets:
            if snippet.hidden or snippet.file == self.brief_file() or len(snippet.text) < 8:
                continue
            own = grams(snippet.text)
            score = sum(1.0 for g in wanted if g in own) / (len(own) ** 0.5 + 1)
            if score > 0.35:
                scored.append((score, snippet))
        return [s for _, s in sorted(scored, key=lambda pair: -pair[0])[:limit]]

    def numbers_about(self, text: str, limit: int = 3) -> list[EvidenceNumber]:
        """Usable numbers whose label shares words with a text (not those the text already holds)."""
        wanted = grams(text)
        flat = half_width(text)
        scored = []
        for number in self.usable():
            own = grams(number.label)
            if number.formula or not own or half_width(number.raw) in flat:
                continue
            share = sum(1 for g in own if g in wanted) / len(own)
            if share >= 0.34:
                scored.append((share, number))
        return [n for _, n in sorted(scored, key=lambda pair: -pair[0])[:limit]]


def _says(number: EvidenceNumber, figure: Figure) -> bool:
    """Whether a figure of a text is this number (units equal, or left out by one; a sign may stand apart)."""
    base, own = figure.unit, number.unit.split("/")[0]
    close = figure.value is not None and abs(abs(figure.value) - abs(number.value)) <= 1e-9 * max(
        1.0, abs(number.value)
    )
    return close and (base == own or not base or not own)


_WORDS = re.compile(r"[一-鿿々]+|[ァ-ヺー]{2,}|[a-z][a-z]{2,}")
_STOP_GRAMS = frozenset(
    (
        "提案",
        "当社",
        "貴社",
        "年間",
        "現在",
        "現状",
        "必要",
        "対応",
        "場合",
        "the",
        "and",
        "for",
        "with",
        "時間",
        "課題",
        "管理",
    )
)


def grams(text: str) -> set[str]:
    """Word pieces for matching: pairs of kanji, whole katakana and Latin words."""
    found: set[str] = {word.lower() for word in re.findall(r"(?<![A-Za-z])[A-Z]{2}(?![A-Za-z])", half_width(text))}
    for word in _WORDS.findall(half_width(text).lower()):
        if re.match("[一-鿿々]", word):
            found.update(word[i : i + 2] for i in range(len(word) - 1))
        else:
            found.add(word)
    return found - _STOP_GRAMS


def make_material(reading: BriefReading, build: LedgerBuild, disputes: Disputes) -> Material:
    """Points of the brief with their snippet and number ids."""
    ledger = build.ledger
    material = Material(
        reading.brief, ledger, build.today, disputed=disputes.disputed, unusable=build.expired | disputes.older
    )
    by_place = {(s.locator, s.text): s.id for s in ledger.snippets if s.file == reading.name}
    for item in reading.items:
        source = by_place.get((item.locator, item.text[:600]), "")
        numbers = [n.id for n in ledger.numbers if n.source == source and half_width(n.raw) in half_width(item.text)]
        point = Point(item.text, (*([source] if source else []), *numbers))
        if item.field in ("needs", "products", "effects", "schedule", "cost", "risks", "comparison"):
            getattr(material, item.field).append(point)
        elif item.field == "other":
            material.others.append((item.heading, point))
        elif item.field == "context":
            material.background.append(point)
    return material


def same_words(one: str, other: str) -> bool:
    return fold(one) == fold(other)
