"""Which notices a proposal must carry: by the classes of its products and customer, never by words in its text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from apps.proposals.model import Brief, Finding


@dataclass
class Disclosure:
    """Notices for the notes slide, those also shown beside the benefit, the standard risks, and what is open."""

    packs: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    risks: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    version: str = ""


@lru_cache
def registry() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "registry.yaml").read_text("utf-8"))
    return loaded


def packs_of(products: list[str]) -> list[dict[str, Any]]:
    """The packs whose products are proposed, in the registry's order; the general one when none fits.

    A foreign currency deposit is not also a yen deposit, and an SME cloud for loans is judged by its own words.
    """
    found = [
        p
        for p in registry()["packs"]
        if any(re.search(p["match"], _product_words(text), re.IGNORECASE) for text in products)
    ]
    ids = {p["id"] for p in found}
    if "fx_deposit" in ids:
        found = [p for p in found if p["id"] != "deposit"]
    return found or [registry()["general"]]


def _product_words(text: str) -> str:
    """A product's name without its explanation: the class is what it is called, not what it helps with."""
    head = re.split(r"[:：]", text, maxsplit=1)[0]
    return head if len(head) > 1 else text


def disclosures_for(brief: Brief, *, prepared: str) -> Disclosure:
    """All notices for a brief. ``prepared``: the deck's date as printed."""
    language = brief.language
    packs = packs_of(brief.products or [brief.title, *brief.needs])
    result = Disclosure(
        [p["id"] for p in packs], [p["name"][language] for p in packs], version=str(registry()["version"])
    )
    professional = brief.customer_class == "professional"
    result.notices.append(_issuer(brief, any(p["registration"] for p in packs), result))
    for notice in [n for p in packs for n in p["notices"]]:
        if professional and notice.get("customer") == "general":
            continue
        if notice[language] not in result.notices:
            result.notices.append(notice[language])
        if notice.get("beside") and notice[language] not in result.beside:
            result.beside.append(notice[language])
    result.notices += [n[language] for n in registry()["always"]]
    result.notices.append(
        f"作成日・基準日：{prepared}。内容は予告なく変更されることがあります。"
        if language == "ja"
        else f"Prepared as of {prepared}; subject to change without notice."
    )
    for pack in packs:
        result.risks += [(r[language][0], r[language][1]) for r in pack["risks"]]
    if not brief.customer_class and any(p["registration"] or p["id"] == "fx_deposit" for p in packs):
        result.findings.append(
            Finding(
                slide="notes",
                rule="disclosure.customer_class",
                severity="info",
                message=(
                    "顧客区分（特定投資家かどうか）の記載がないため、一般のお客さま向けの注意事項をすべて載せました。"
                    if language == "ja"
                    else (
                        "The brief does not say whether the customer is a professional "
                        "investor; all notices for general customers are included."
                    )
                ),
            )
        )
    return result


def _issuer(brief: Brief, registration: bool, result: Disclosure) -> str:
    """Name of the issuer and, only where the product needs it, its registration: fields to fill in when unknown."""
    language = brief.language
    name = brief.company or ("（要確認：商号）" if language == "ja" else "[to be confirmed: company name]")
    open_fields = [] if brief.company else ["商号" if language == "ja" else "company name"]
    text = f"商号等：{name}" if language == "ja" else f"Issuer: {name}"
    if registration:
        open_fields += (
            ["登録番号", "加入協会"] if language == "ja" else ["registration number", "association memberships"]
        )
        text += (
            "　登録金融機関　（要確認：財務局長（登金）第　号）　加入協会：（要確認）"
            if language == "ja"
            else (
                "; registered financial institution [to be confirmed: registration number]; member of [to be confirmed]"
            )
        )
    if open_fields:
        joined = "、".join(open_fields) if language == "ja" else ", ".join(open_fields)
        result.findings.append(
            Finding(
                slide="notes",
                rule="disclosure.fill_in",
                severity="warn",
                message=(
                    f"注意事項の記入欄が残っています: {joined}。"
                    if language == "ja"
                    else f"Fields of the notices are still open: {joined}."
                ),
            )
        )
    return text
