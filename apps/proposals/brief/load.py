"""Reading a brief file: which form it has, whether it can be used, and what is wrong with it, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from apps.common.japanese.normalise import half_width
from apps.common.japanese.numbers import parse_number
from apps.proposals.brief.fields import LISTS, SCALARS, SLIDES, closest, is_internal
from apps.proposals.brief.items import Collected, Item, NumberItem
from apps.proposals.brief.prose import client_in, complete_from_prose
from apps.proposals.brief.roles import place_by_role, withhold_remarks
from apps.proposals.brief.terms import with_words
from apps.proposals.brief.text_reader import collect_text
from apps.proposals.brief.yaml_reader import collect_yaml
from apps.proposals.language import Language, language_of, pick
from apps.proposals.model import Brief, BriefNumber, Finding
from kakehashi.errors import BadInput

MAX_BYTES = 1024 * 1024
_ENCODINGS = ("utf-8-sig", "cp932", "utf-16")
_PROFESSIONAL = re.compile(
    r"(?:^|[^非])特定投資家|適格機関投資家|professional|institutional|^yes$|^はい$|^該当$|^true$", re.IGNORECASE
)
_GENERAL = re.compile(r"一般|general|retail|個人|^no$|^いいえ$|非該当|^false$|特定投資家以外", re.IGNORECASE)
_HONORIFIC = re.compile(r"\s*(?:様|さま|御中|殿)$")


@dataclass(frozen=True)
class BriefReading:
    """A brief with everything it was read from. ``items`` and ``numbers`` keep their places for the evidence ledger."""

    brief: Brief
    name: str
    items: list[Item] = field(default_factory=list)
    numbers: list[NumberItem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_brief(path: Path, *, say: Language = "ja") -> BriefReading:
    """Read a brief file. ``say``: language of error messages. Raises BadInput naming the file and what to do."""
    if not path.is_file():
        raise _bad(
            "brief_not_found",
            say,
            f"ブリーフのファイルがありません: {path.name}",
            f"There is no brief file '{path.name}'.",
        )
    if path.stat().st_size > MAX_BYTES:
        raise _bad(
            "brief_too_large",
            say,
            f"ブリーフが大きすぎます（{path.name}、上限1 MiB）。",
            f"The brief {path.name} is too large (limit 1 MiB).",
            "資料は --evidence で添付してください。",
            "Attach material with --evidence.",
        )
    return parse_brief(path.read_bytes(), path.name, say=say)


def parse_brief(data: bytes, name: str, *, say: Language = "ja") -> BriefReading:
    """Read a brief from bytes; the file name tells YAML from text. Raises BadInput."""
    text = _decode(data, name, say)
    if not text.strip():
        raise _bad("brief_empty", say, f"ブリーフが空です: {name}", f"The brief '{name}' is empty.", *_EXAMPLE)
    document = _yaml(text, name, say) if name.lower().endswith((".yaml", ".yml", ".json")) else _front_matter(text)
    if isinstance(document, Mapping):
        words = with_words(document) if language_of(text) == "ja" else document
        found, title = collect_yaml(words), ""
        withhold_remarks(found)
    else:
        found, title = collect_text(text)
        found.items = [item for item in found.items if item.field != "title" or not _ERRAND.search(item.text)]
        place_by_role(found, text)
    complete_from_prose(found, text if not isinstance(document, Mapping) else "")
    return _assemble(found, title, text, name, say)


def _bad(code: str, say: Language, ja: str, en: str, hint_ja: str = "", hint_en: str = "") -> BadInput:
    return BadInput(pick(say, ja, en), hint=pick(say, hint_ja, hint_en), code=code)


_EXAMPLE = (
    "例: client: 株式会社山田製作所 / needs: [為替変動で利益がぶれる, 月次決算に10営業日かかる] / products: [為替予約]",
    (
        "For example: client: Yamada Works Ltd / needs: [profit swings "
        "with the yen, closing takes 10 days] / products: [forwards]"
    ),
)


def _decode(data: bytes, name: str, say: Language) -> str:
    if b"\x00" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _bad(
            "brief_not_text",
            say,
            f"ブリーフがテキストではありません: {name}",
            f"The brief '{name}' is not text.",
            "YAML、Markdown、テキストのいずれかで保存してください。",
            "Save it as YAML, Markdown or plain text.",
        )
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise _bad(
        "brief_not_text",
        say,
        f"ブリーフの文字コードを読み取れません: {name}",
        f"The encoding of '{name}' is unknown.",
        "UTF-8で保存してください。",
        "Save it as UTF-8.",
    )


def _yaml(text: str, name: str, say: Language) -> Any:
    try:
        return _commas_back(yaml.safe_load(_THOUSANDS.sub(lambda m: m[0].replace(",", _COMMA), text)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{mark.line + 1}" if mark else "?"
        raise _bad(
            "brief_yaml",
            say,
            f"ブリーフのYAMLを読めません（{name} の{line}行目）: {getattr(error, 'problem', error)}",
            f"{name}, line {line}: not valid YAML: {getattr(error, 'problem', error)}",
            "コロンを含む値は引用符で囲み、字下げは空白でそろえてください。",
            "Quote values that hold a colon and indent with spaces.",
        ) from error


# In {fee: 1,200万円} YAML sees two entries; the commas inside amounts are kept out of its sight.
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?=\s?(?:[億万千百円人名件台%]|yen|JPY|USD|EUR|million))")
_COMMA = "\ue000"


def _commas_back(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_COMMA, ",")
    if isinstance(value, dict):
        return {_commas_back(key): _commas_back(inner) for key, inner in value.items()}
    return [_commas_back(inner) for inner in value] if isinstance(value, list) else value


def _front_matter(text: str) -> Any:
    """A text file that is YAML between two ``---`` lines and nothing else; otherwise None."""
    match = re.fullmatch(r"\s*---\n(.*?)\n---\s*", text, re.DOTALL)
    if not match:
        return None
    try:
        return yaml.safe_load(match[1])
    except yaml.YAMLError:
        return None


def _assemble(found: Collected, title: str, text: str, name: str, say: Language) -> BriefReading:
    _refuse_wrong(found, name, say)
    client = _client(found)
    _refuse_missing(found, client, name, say)
    language = _language(found, text)
    _keep_rest(found)
    _withhold(found)
    brief = Brief(
        client=client,
        title=found.first("title") or ("" if _GENERIC_TITLE.search(title) else title),
        numbers=[_brief_number(n) for n in found.numbers],
        slide_count=_slide_count(found, name, say),
        customer_class=_customer_class(found),
        language=language,
        free_text="\n".join([*found.texts("context"), *(f"{i.heading}：{i.text}" for i in found.of("other"))]),
        **{f: found.texts(f) for f in LISTS},
        **{f: _scalar(found, f) for f in SCALARS if f not in ("client", "title", "language")},
    )
    kept = [i for i in found.items if i.field != "prose_need"]
    return BriefReading(brief, name, kept, found.numbers, _findings(found, language))


# The subject of a mail to a colleague, not the title of what the client is to see.
_ERRAND = re.compile(
    r"訪問|面談|アポ|お?打ち?合わ?せ|依頼|お願い|相談|ご連絡|共有|急ぎ|至急|【社内】|\b(?:re|fw|fwd):|\b(?:visit|meeting|request|please|urgent|help)\b",
    re.IGNORECASE,
)
_GENERIC_TITLE = re.compile(r"ブリーフ|brief|\bnotes?\b|メモ|依頼|ヒアリング|商談", re.IGNORECASE)


def _client(found: Collected) -> str:
    """The client's bare name. What stands in brackets behind it, and all else said under client, is background."""
    given = found.of("client")
    text = next((i.text for i in given if _LEGAL.search(i.text)), given[0].text if given else "")
    name, _, below = text.partition("\n")
    if len(name) > 40 or "。" in name:  # a sentence about the client
        name, below = client_in(name) or name, text
    match = re.match(r"(?P<name>[^（(]+?)\s*[（(](?P<more>.+)[)）]\s*(?:様|さま|御中)?$", name)
    if match and not re.fullmatch(r"株|有|同|社|財|医", match["more"]):
        name, below = match["name"], f"{match['more']}\n{below}"
    for line in [*below.splitlines(), *(i.text for i in given if i.text != text)]:
        found.add("context", line, given[0].locator)
    return re.sub(r"\s*様(?=ご夫妻|ご一家|ご家族)", "", _HONORIFIC.sub("", name)).strip()


_LEGAL = re.compile(r"株式会社|有限会社|合同会社|法人|㈱|組合|\b(?:Inc|Ltd|LLC|Corp|K\.K)\b")


def _keep_rest(found: Collected) -> None:
    """A field that takes one value keeps its first; further lines under it stay as background."""
    for item in found.of("audience"):
        if re.search(r"\d", half_width(item.text)):  # 最終は取締役会（12/18）: a plan, no readers
            found.items.remove(item)
            found.add("context", item.text, item.locator)
    for field_name in SCALARS:
        for item in found.of(field_name)[1:] if field_name not in ("client", *_JOINED) else []:
            found.add("context", item.text, item.locator)


def _withhold(found: Collected) -> None:
    """What stands under 社内メモ and the like goes with the remarks that the client must not see."""
    for item in [i for i in found.of("other") if is_internal(i.heading)]:
        found.items.remove(item)
        found.withheld.append((item.text, item.locator))
    found.unknown = [(key, where) for key, where in found.unknown if not is_internal(key)]


_JOINED = ("audience", "tone", "author")


def _scalar(found: Collected, name: str) -> str:
    texts = [t.rstrip("。") for t in found.texts(name)]
    return "、".join(texts) if name in _JOINED else next(iter(texts), "")


def _brief_number(item: NumberItem) -> BriefNumber:
    roles = {"before": "（現状）", "after": "（提案後）"}
    return BriefNumber(
        label=item.label + roles.get(item.role, ""), value=item.value, unit=item.unit, period=item.period, raw=item.raw
    )


def _refuse_wrong(found: Collected, name: str, say: Language) -> None:
    if not found.wrong:
        return
    field_name, value, where = found.wrong[0]
    kinds = {
        "slide_count": ("整数（例: 12）", "a whole number, for example 12"),
        "numbers": (
            "「項目: 値と単位」の一覧（例: 年間輸出額: 12億円）",
            "a list of 'label: value with unit', for example sales: JPY 1.2 billion",
        ),
    }
    ja, en = kinds.get(
        field_name, ("文字列の一覧", "a list of sentences") if field_name in LISTS else ("文字列", "text")
    )
    raise _bad(
        "brief_type",
        say,
        f"ブリーフの {where} は{ja}で書いてください（{name} にあるのは {value!r}）。",
        f"'{where}' in {name} must be {en}, not {value!r}.",
        *_EXAMPLE,
    )


def _refuse_missing(found: Collected, client: str, name: str, say: Language) -> None:
    missing = [
        label
        for label, given in ((("client", "顧客"), client), (("needs", "課題・ニーズ"), found.of("needs")))
        if not given
    ]
    if not missing:
        return
    near = [f"{key} → {guess}" for key, _ in found.unknown if (guess := closest(key))]
    ja, en = "、".join(f"{m[1]}（{m[0]}）" for m in missing), " and ".join(m[0] for m in missing)
    hint_ja, hint_en = _EXAMPLE
    if near:
        hint_ja, hint_en = (
            f"書き間違いかもしれません: {'、'.join(near)}。{hint_ja}",
            f"Perhaps a slip: {', '.join(near)}. {hint_en}",
        )
    raise _bad(
        "brief_missing_field",
        say,
        f"ブリーフに{ja}がありません: {name}",
        f"The brief '{name}' lacks {en}.",
        hint_ja,
        hint_en,
    )


def _language(found: Collected, text: str) -> Language:
    wanted = found.first("language").lower()
    if wanted:
        return "en" if wanted.startswith(("en", "英")) else "ja"
    return language_of(text)


def _slide_count(found: Collected, name: str, say: Language) -> int | None:
    written = found.first("slide_count")
    if not written:
        return None
    digits = re.search(r"\d+", half_width(written)) or re.search("[一二三四五六七八九十]+", written)
    number = parse_number(digits[0]) if digits else None
    if number is None:
        raise _bad(
            "brief_type",
            say,
            f"枚数（slide_count）は整数で書いてください（{name} にあるのは「{written}」）。",
            f"slide_count in {name} must be a whole number, not '{written}'.",
            "例: 12",
            "For example 12.",
        )
    check_slide_count(int(number), say)
    return int(number)


def check_slide_count(count: int, say: Language) -> None:
    """Raises BadInput when a deck of that length is not made."""
    if not SLIDES[0] <= count <= SLIDES[1]:
        raise _bad(
            "brief_slide_count",
            say,
            f"枚数は{SLIDES[0]}〜{SLIDES[1]}枚で指定してください（指定: {count}枚）。",
            f"The number of slides must be {SLIDES[0]} to {SLIDES[1]}, not {count}.",
        )


def _customer_class(found: Collected) -> Literal["", "professional", "general"]:
    written = found.first("customer_class").strip()
    if _GENERAL.search(written):
        return "general"
    return "professional" if _PROFESSIONAL.search(written) else ""


def _findings(found: Collected, language: Language) -> list[Finding]:
    findings = []
    for key, where in found.unknown:
        guess = closest(key)
        ja = f"ブリーフの項目「{key}」（{where}）は決まった項目ではないため、「補足」のスライドに載せました。"
        ja += f"「{guess}」の書き間違いではありませんか。" if guess else ""
        en = f"'{key}' ({where}) is no known field of a brief; it is on the slide of further points."
        en += f" Did you mean '{guess}'?" if guess else ""
        findings.append(Finding(slide="", rule="brief_unknown_field", severity="warn", message=pick(language, ja, en)))
    for text, where in found.withheld:
        ja = f"社内向けの記載と判断し、資料にもノートにも載せていません（{where}）:「{text}」"
        en = f"Taken for an internal remark and kept out of slides and notes ({where}): '{text}'"
        findings.append(Finding(slide="", rule="brief_withheld", severity="info", message=pick(language, ja, en)))
    if found.assumed_needs:
        ja = "課題と分かる記載がないため、ブリーフの文をそのまま課題として扱いました。確認してください。"
        en = "No sentence of the brief speaks of a need; its statements were taken as the needs. Please check."
        findings.append(
            Finding(slide="issues", rule="brief_needs_assumed", severity="warn", message=pick(language, ja, en))
        )
    for where in found.empty_numbers:
        findings.append(
            Finding(
                slide="",
                rule="brief_number_unreadable",
                severity="warn",
                message=pick(
                    language,
                    f"ブリーフの数値（{where}）から数字を読み取れませんでした。",
                    f"No figure could be read from {where} of the brief.",
                ),
            )
        )
    return findings
