"""An attachment as data: visible pieces and tables with their places; apart from them, what its pages do not show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph or line. ``hidden``: why a reader does not see it (comment, tiny text …), "" if he does."""

    text: str
    locator: str
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    locator: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as it stands: rows of cells, its title or sheet, and its place."""

    rows: list[list[Cell]]
    locator: str
    title: str = ""


@dataclass
class Document:
    """One attachment. ``notes``: what could not be read, as (rule, Japanese, English)."""

    name: str
    sha256: str
    pieces: list[Piece] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, text: str, locator: str, hidden: str = "") -> None:
        """Add a piece; characters nobody can see (zero width, tags) are cut out and kept as hidden text."""
        visible, invisible = split_invisible(text)
        visible = re.sub(r"[ \t\u3000]+", " ", visible).strip()
        if visible:
            self.pieces.append(Piece(visible, locator, hidden))
        if invisible:
            self.pieces.append(Piece(invisible, locator, "invisible characters"))


_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_ZERO_WIDTH = re.compile("[\u200b-\u200f\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\u00ad]")


def split_invisible(text: str) -> tuple[str, str]:
    """(what is seen, text smuggled in Unicode tag characters). Zero-width and direction marks are dropped."""
    smuggled = "".join(chr(ord(c) - 0xE0000) for run in _TAGS.findall(text) for c in run if ord(c) > 0xE001F)
    return _ZERO_WIDTH.sub("", _TAGS.sub("", text)), smuggled


_INSTRUCTION = re.compile(
    r"(?:ignore|disregard|forget|override)\s+(?:(?:all|any|the|your|of|these|those)\s+)*(?:previous|prior|above|earlier|preceding|system|other|instruction|rule)"
    r"|(?:you are|act as|pretend to be)\s+(?:now\s+)?(?:an?\s|the\s)?(?:\w+\s){0,2}(?:assistant|"
    r"AI|model|DAN|administrator|developer)|system\s+prompt|(?:new|secret|hidden)\s+instructions?"
    r"|(?:note|message|instruction)s?\s+(?:to|for)\s+(?:the\s+)?(?:AI|LLM|model|assistant|language model)"
    r"|\b(?:AI|LLM|assistant|model)\s*[,:]\s*(?:please\s+)?(?:write|say|output|state|add|include|ignore|respond)"
    r"|(?:write|state|say|output|include|claim|recommend)\s+(?:that\s|in the (?:deck|"
    r"proposal|summary)|exactly)|respond only with|do not (?:mention|reveal|tell|disclose)"
    r"|(?:これまで|以前|上記|前|すべて|全て|他|先)の?(?:の)?(?:指示|命令|ルール|規則|プロンプト|設定).{0,8}(?:無視|忘れ|破棄|従わ|上書き)"
    r"|(?:指示|命令|ルール)(?:を|は|には).{0,6}(?:無視|忘れ)|システムプロンプト|あなたは(?:今|これ)?(?:から|より)?.{0,15}(?:AI|アシスタント|モデル|として振る舞)"
    r"|(?:AI|ＡＩ|LLM|アシスタント|生成AI|言語モデル|モデル)(?:へ|に|は|向け|宛|への).{0,10}(?:指示|命令|こと|下さい|ください|せよ|書け|出力|従)"
    r"|(?:と|を|に)(?:必ず)?(?:記載|記述|出力|表示|回答|返答|断言|明記)(?:してください|すること|せよ|しなさい|しろ)|(?:以下|次)の(?:指示|命令)に従"
    r"|(?:提案書|スライド|資料|要約)に.{0,30}(?:書いて|書け|書くこと|入れて|記載して|載せて|含めて)(?:ください|下さい|くれ|$)",
    re.IGNORECASE,
)


def looks_like_instruction(text: str) -> bool:
    """Whether a text addresses the machine that reads it rather than the reader of the document."""
    return _INSTRUCTION.search(split_invisible(text)[0]) is not None
