"""Sentences of a transcript: what the rules work on. A sentence may lie in one segment, share it, or span several.

Speech recognition gives few sentence marks and cuts where the speaker breathes, so marks, spaces after final forms and
Sudachi's final forms all end a sentence, and a segment that stops in mid-clause is joined with the next one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from apps.common.japanese.normalise import is_japanese, tidy, without_fillers
from apps.common.japanese.words import Word, words
from apps.minutes.model import Segment, Transcript

JOIN_GAP_S = 2.0  # a longer pause ends the sentence even in mid-clause

_MARK = re.compile(r"[。！？!?]+[」』）)]*|(?<=[a-z0-9)])\.(?=\s|$)(?<!\b[ap]\.m\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)")
_SENTENCE_START = re.compile(
    r"(?<=ました|ません|しょう|ですね|ますね|ですよ|ですか|ますか|ださい)(?=では|じゃあ?|それで|それから|次に|次は|続いて|また|あと|ただ|しかし|でも|なので|はい)"
    r"|(?<=です|ます)(?=では|じゃあ|それで|それから|次に|次は|続いて|また|あと|ただし|しかし|はい)"
)
# Two people's parts in one breath: 案内文は私が作って、｜来週の金曜までに鈴木さんに見ていただく
_PARTS = re.compile(r"(?:私|僕|わたし)が[^、。]{1,14}[てで]、(?=[^。]{0,16}(?:さん|部長|課長|さま)[にのは])")
_CONTINUES = re.compile(
    r"(?:[、,]|[はがをにでともへや]|から|ので|のに|けど|けれども?|ですが|ますが|んで|して|って|て|たら|れば|なら|という|との|の|ため|し)$"
)
_CONTINUES_EN = re.compile(
    r"(?:,|\b(?:and|but|or|so|the|a|an|to|of|for|with|by|in|on|at|that|if|because|which|is|are))$", re.I
)
_ATTACHES = {"助詞", "助動詞", "補助記号", "接尾辞", "記号", "空白"}
_FORMAL_NOUNS = {
    "こと", "とき", "時", "もの", "ため", "方", "ほう", "ところ", "の", "件", "通り", "とおり", "際", "場合", "うち",
    "中", "間", "ん", "よう", "はず", "つもり", "わけ", "まま", "分", "点", "お客",
}  # fmt: skip
_QUOTING = re.compile(r"って(?:いう)?(?=こと|ルール|形|感じ|話|案|方向|やつ)|っていう")
_PAUSE = re.compile(r"(?<=[぀-ヿ一-鿿々ー])[ \u3000]+(?=[぀-ヿ一-鿿々A-Z0-9])")
_PAUSE_EVERY = 5  # characters; more spaces than that stand between words, not at pauses
_SHORTEST = 6  # characters: まずですね is not a sentence


@dataclass(frozen=True)
class Sentence:
    """``text`` as said (tidied); ``clean`` without fillers. ``turn`` counts changes of speaker; ids are segments."""

    index: int
    text: str
    clean: str
    segments: tuple[str, ...]
    speaker: str
    speaker_id: str
    turn: int
    start: float
    end: float
    confidence: float | None


def sentences(transcript: Transcript) -> list[Sentence]:
    """All sentences of a transcript in order; inaudible and empty segments give none."""
    found: list[Sentence] = []
    spoken = [s for s in transcript.segments if s.text.strip() and "inaudible" not in s.marks]
    for turn, (_, group) in enumerate(groupby(spoken, key=lambda s: s.speaker_id or s.speaker)):
        for block in _joined(list(group)):
            found.extend(_split_block(block, turn, len(found)))
    return found


def _joined(segments: list[Segment]) -> Iterator[list[Segment]]:
    """Groups of segments of one turn that form one stretch of text."""
    block = [segments[0]]
    for previous, segment in pairwise(segments):
        text = previous.text.strip()
        pattern = _CONTINUES if is_japanese(text) else _CONTINUES_EN
        if segment.start - previous.end <= JOIN_GAP_S and pattern.search(text):
            block.append(segment)
        else:
            yield block
            block = [segment]
    yield block


def _split_block(block: list[Segment], turn: int, index: int) -> Iterator[Sentence]:
    text, owners = "", []
    for segment in block:
        part = unicodedata.normalize("NFKC", segment.text.strip()) + ("" if is_japanese(segment.text) else " ")
        text += part
        owners += [segment] * len(part)
    for start, end in split(text):
        said = _punctuated(text[start:end].strip())
        cited = list(dict.fromkeys(s.id for s in owners[start:end]))
        used = [s for s in block if s.id in cited]
        known = [s.confidence for s in used if s.confidence is not None]
        clean = _QUOTING.sub("という", without_fillers(said))
        if not clean:
            continue
        first = block[0]
        yield Sentence(
            index, said, clean, tuple(cited), first.speaker, first.speaker_id or first.speaker, turn,
            used[0].start, used[-1].end, min(known) if known else None,
        )  # fmt: skip
        index += 1


def _punctuated(text: str) -> str:
    """Spaces that speech recognition puts at pauses become commas; spaces between all words go."""
    pauses = len(_PAUSE.findall(text))
    if pauses and len(text) / pauses >= _PAUSE_EVERY:
        text = _PAUSE.sub("、", text)
    return tidy(text)


def split(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text; together they cover everything but white space."""
    cuts = {m.end() for m in _MARK.finditer(text)}
    if is_japanese(text):
        cuts |= {m.start() for m in _SENTENCE_START.finditer(text)} | set(_final_forms(text))
        cuts |= {m.end() for m in _PARTS.finditer(text)}
    spans, start = [], 0
    for end in sorted({*cuts, len(text)}):
        if text[start:end].strip():
            spans.append((start, end))
            start = end
    return spans


def _final_forms(text: str) -> Iterator[int]:
    """Ends of final forms (です, ました, ください, plain forms before a space) with no mark behind them."""
    found = words(text)
    last = 0
    for index, (here, after) in enumerate(pairwise(found)):
        before_space = here.kind == "空白" and index > 0 and _may_end(found[index - 1], plain=True)
        run_on = (
            after.kind not in _ATTACHES
            and after.base not in _FORMAL_NOUNS
            and here.end - last >= _SHORTEST
            and _may_end(here, plain=False)
            and not (here.base == "た" and found[index - 1].base not in ("ます", "です"))
        )
        if before_space or run_on:
            last = here.end
            yield last


def _may_end(word: Word, *, plain: bool) -> bool:
    """Whether a sentence can end with this word. ``plain``: a space follows, so plain forms and interjections count."""
    form = word.pos[5]
    if word.kind == "助動詞" and word.base in ("です", "ます", "た", "ぬ", "ん"):
        return form.startswith(("終止形", "連体形", "意志推量形"))
    if word.base == "くださる" and form.startswith("命令形"):
        return True
    if word.kind == "助詞" and word.pos[1] == "終助詞":
        return plain or word.text in ("ね", "よ", "か")
    return plain and (
        word.kind == "感動詞"
        or form.startswith(("終止形", "連体形", "命令形", "意志推量形"))
        or word.text in ("か", "って", "とか", "いる", "はい", "うん", "件", "決まり", "決定", "お願い", "了解", "賛成")
    )
