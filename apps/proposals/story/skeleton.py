"""Which slides a deck has: the contract's eleven in pyramid order; fewer or more to meet the wanted count."""

from __future__ import annotations

from apps.proposals.language import pick
from apps.proposals.model import Finding, SlideKind, StoryPoint
from apps.proposals.story.material import Material
from apps.proposals.writing.effect import Effects

CORE: tuple[SlideKind, ...] = (
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
)
# What goes first when there is no room for all: from the least to the most needed.
_DROP: tuple[SlideKind, ...] = ("agenda", "risks", "comparison", "schedule", "cost", "effect", "issues", "proposal")
_ORDER = (
    "title",
    "agenda",
    "summary",
    "issues",
    "need",
    "proposal",
    "product",
    "effect",
    "effect2",
    "comparison",
    "schedule",
    "cost",
    "risks",
    "others",
    "process",
    "notes",
    "numbers",
    "data",
    "sources",
)
NUMBERS_PER_SLIDE = 9


def skeleton(material: Material, effects: Effects, wanted: int | None) -> tuple[list[StoryPoint], list[Finding]]:
    """The slides in order, without messages, and what had to be left out or could not be filled."""
    kept = list(CORE)
    findings: list[Finding] = []
    language = material.language
    if wanted is not None and wanted < len(kept):
        dropped = list(_DROP[: len(kept) - wanted])
        kept = [k for k in kept if k not in dropped]
        names = "、".join(dropped) if language == "ja" else ", ".join(dropped)
        findings.append(
            _finding(
                "slides_omitted",
                "warn",
                language,
                f"{wanted}枚の指定のため、次のスライドを省きました: {names}。",
                f"With {wanted} slides asked for, these were left out: {names}.",
            )
        )
    points = [("core", StoryPoint(kind=k, message="", id=k)) for k in kept]
    room = (wanted - len(kept)) if wanted is not None else _default_room(material)
    extras = _extras(material, effects)
    if wanted is None:
        extras = [e for e in extras if e[0] in ("others", "numbers")]
    points += extras[: max(0, room)]
    if wanted is not None and room > len(extras):
        findings.append(
            _finding(
                "slides_fewer",
                "info",
                language,
                f"{wanted}枚の指定に対し、材料のある{len(points)}枚にとどめました（内容のないスライドは作りません）。資料や数値を添付すると増やせます。",
                (
                    f"{len(points)} slides instead of {wanted}: there is no "
                    f"material for more. Attach documents or figures to extend."
                ),
            )
        )
    ordered = sorted(points, key=lambda pair: _ORDER.index(pair[0] if pair[0] != "core" else pair[1].kind))
    return [point for _, point in ordered], findings


def _default_room(material: Material) -> int:
    """Without a wanted count: one more slide with the sources of the figures when attachments were given, and one with
    the sections of the brief that belong nowhere else."""
    return any(material.from_attachment(n) for n in material.usable()) + bool(material.others)


def _extras(material: Material, effects: Effects) -> list[tuple[str, StoryPoint]]:
    """Further slides for which there is material, the most useful first."""
    found: list[tuple[str, StoryPoint]] = [("process", StoryPoint(kind="process", message="", id="process"))]
    if material.others:
        found.insert(0, ("others", StoryPoint(kind="appendix", message="", id="more", topic="others")))
    if effects.trends and effects.pairs:
        found.append(("effect2", StoryPoint(kind="effect", message="", id="effect-2", topic="trend")))
    numbers = [n for n in material.usable() if not n.formula]
    if len(numbers) >= 3:
        found.append(("numbers", StoryPoint(kind="appendix", message="", id="appendix", topic="numbers")))
    if len(material.needs) > 1:
        for index in range(min(4, len(material.needs))):
            if material.numbers_about(material.needs[index].text) or material.related(material.needs[index].text, 1):
                found.append(
                    ("need", StoryPoint(kind="text", message="", id=f"need-{index + 1}", topic=f"need:{index}"))
                )
    for index, product in enumerate(material.products[:4]):
        if len(material.products) > 1 and (product.rest or material.related(product.name, 1)):
            found.append(
                ("product", StoryPoint(kind="text", message="", id=f"product-{index + 1}", topic=f"product:{index}"))
            )
    for index, table in enumerate(material.ledger.tables[:4]):
        if 2 <= len(table.columns) <= 6 and len(table.rows) >= 2:
            found.append(
                ("data", StoryPoint(kind="appendix", message="", id=f"data-{index + 1}", topic=f"table:{table.id}"))
            )
    if len({s.file for s in material.ledger.snippets}) > 2:
        found.append(("sources", StoryPoint(kind="appendix", message="", id="sources", topic="sources")))
    return found


def _finding(rule: str, severity: str, language: str, ja: str, en: str) -> Finding:
    return Finding.model_validate({"slide": "", "rule": rule, "severity": severity, "message": pick(language, ja, en)})
