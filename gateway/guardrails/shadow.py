"""A normalised copy of a text to detect on, with an exact map back to the original.

Detectors see half width, folded hyphens, no invisible characters, digits instead of kanji numerals in numbers, no
spacing between single letters. Whatever they find is reported and replaced on the text as it was given. Knows nothing
about detectors.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_HYPHENS = "‐‑‒–—―−﹘﹣⁃˗─━"
_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
# Old and variant forms of kanji in names → the form that the word lists use.
_VARIANTS = str.maketrans(
    "髙﨑嵜濵濱澤邊邉齋齊嶋嶌廣櫻眞國瀨瀧德惠榮條淵桒𠮷⻆冨槗栁鷗龍邨證學會佛圓渕",
    "高崎崎浜浜沢辺辺斎斎島島広桜真国瀬滝徳恵栄条渕桑吉角富橋柳鴎竜村証学会仏円渕",
)


def _unvaried(first: str, last: str) -> Iterator[str]:
    """The ranges of a regular expression's class from ``first`` to ``last`` without the variants."""
    begin = ord(first)
    for variant in sorted(code for code in _VARIANTS if ord(first) <= code <= ord(last)):
        if begin < variant:
            yield f"{chr(begin)}-{chr(variant - 1)}"
        begin = variant + 1
    yield f"{chr(begin)}-{last}"


_HOMOGLYPHS = str.maketrans(
    "АВЕКМНОРСТУХаеорсухіјѕԁԛԝһВΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυικ",
    "ABEKMHOPCTYXaeopcyxijsdqwhBABEZHIKMNOPTYXavopuik",
)
_KANJI_DIGITS = str.maketrans("〇零○◯一二三四五六七八九壱弐参", "0000123456789123")

_PLAIN = re.compile(r"[\n\t -~]*\Z")
# Ordinary Japanese text and ASCII: characters that fold to themselves, whatever stands beside them.
_UNCHANGED = re.compile(
    rf"[\n\t -~、。〃々〇「」『』【】〔〕ぁ-ゖァ-ヶー㐀-䶿{''.join(_unvaried('一', '龿'))}]*\Z"
)
_NUMERAL = re.compile(r"[〇零○◯一二三四五六七八九壱弐参\d]")
_MIXED_WORD = re.compile(r"[A-Za-z@.\d_-]*[\u0370-\u03ff\u0400-\u052f][A-Za-z@.\d_\u0370-\u03ff\u0400-\u052f-]*")
_DASH_BETWEEN = re.compile(r"(?<=\d)[ー一―~](?=\d)")
_KANJI_DASH = re.compile(r"(?<=[〇零一二三四五六七八九\d])ー(?=[〇零一二三四五六七八九\d])")
_KANJI_RUN = re.compile(r"[〇零○◯一二三四五六七八九壱弐参\d](?:[-・().の \n]{0,2}[〇零○◯一二三四五六七八九壱弐参\d]){5,}")
_KANJI_DIGIT = re.compile(r"[〇零○◯一二三四五六七八九壱弐参]")
_SPOKEN = re.compile(r"(?:ゼロ|ぜろ|マル|まる)(?=[\d〇一二三四五六七八九ゼぜマま])|(?<=[\d〇一二三四五六七八九])(?:ゼロ|ぜろ|マル|まる)(?![ぁ-んァ-ヶ])|(?<=[\d〇一二三四五六七八九])(?:ゼロ|ぜろ)(?=の[\d〇一二三四五六七八九ゼぜ])")
_SPOKEN_DIGITS = ("ゼロ", "ぜろ", "マル", "まる")
_FOREIGN = re.compile(r"[\u0370-\u052f]")
_SPACED = re.compile(r"(?<!\S)[^\W_](?: [\w'.,!?:@/-]){3,}(?!\S)")
_COMBINING = re.compile(r"[\u0300-\u036f\u3099\u309a]")
_MAYBE_SPACED = re.compile(r" [\w'.,!?:@/-] ")


def _fold_char(char: str) -> str:
    """The shadow of one character: nothing, one character or (ligatures, ㈱, ㍼) several."""
    if char in _HYPHENS:
        return "-"
    category = unicodedata.category(char)
    if category == "Cf" or char in _INVISIBLE or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return ""
    if category == "No" and unicodedata.decomposition(char).startswith("<circle>"):
        return char  # ① is a bullet far more often than a digit
    folded = unicodedata.normalize("NFKC", char)
    if folded in ("‐", "−", "―", "–", "—"):
        return "-"
    if category == "Zs":
        return " "
    return folded.translate(_VARIANTS)


class _FoldTable(dict[str, str]):
    """Folds each distinct character once. Bounded by the number of code points that ever occur."""

    def __missing__(self, char: str) -> str:
        folded = _fold_char(char)
        if len(self) < 60_000:
            self[char] = folded
        return folded


_TABLE = _FoldTable()


@dataclass(frozen=True, slots=True)
class Shadow:
    """``text`` is what detectors read; ``starts[i]``/``ends[i]`` bound the original characters behind ``text[i]``.

    Both maps are None when the shadow is the text itself.
    """

    original: str
    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original offsets (code points, half open) of a non-empty span of the shadow."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


class _Builder:
    """The shadow while it is made: characters with the bounds of what they stand for."""

    def __init__(self, original: str) -> None:
        self.chars: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        for index, char in enumerate(original):
            self._add(_TABLE[char], index)

    def _add(self, folded: str, index: int) -> None:
        if len(folded) == 1 and unicodedata.combining(folded) and self.chars:
            composed = unicodedata.normalize("NFC", self.chars[-1] + folded)
            if len(composed) == 1:  # ｶﾞ, or an accent typed on its own
                self.chars[-1] = composed.translate(_VARIANTS)
                self.ends[-1] = index + 1
                return
        for char in folded:
            self.chars.append(char)
            self.starts.append(index)
            self.ends.append(index + 1)

    def collapse(self, pattern: re.Pattern[str], char: str) -> None:
        """Each match becomes the one character ``char``."""
        matches = list(pattern.finditer("".join(self.chars)))
        chars, starts, ends = [], [], []
        position = 0
        for match in matches:
            chars += [*self.chars[position : match.start()], char]
            starts += [*self.starts[position : match.start()], self.starts[match.start()]]
            ends += [*self.ends[position : match.start()], self.ends[match.end() - 1]]
            position = match.end()
        self.chars = chars + self.chars[position:]
        self.starts = starts + self.starts[position:]
        self.ends = ends + self.ends[position:]

    def drop_spaces(self, pattern: re.Pattern[str]) -> None:
        """Remove every space inside each match."""
        text = "".join(self.chars)
        drop = {i for match in pattern.finditer(text) for i in range(*match.span()) if text[i] == " "}
        if drop:
            keep = [index for index in range(len(text)) if index not in drop]
            self.chars = [self.chars[index] for index in keep]
            self.starts = [self.starts[index] for index in keep]
            self.ends = [self.ends[index] for index in keep]


def _digits_of_run(run: str) -> str:
    """Kanji numerals of a long number as digits; a run with few of them is left alone (「三・四月分」)."""
    if len(_KANJI_DIGIT.findall(run)) < 3:
        return run
    return run.translate(_KANJI_DIGITS)


def make_shadow(original: str) -> Shadow:
    """Normalise ``original`` for detection. Linear in its length."""
    if _PLAIN.match(original):
        return _reshaped(original) if _MAYBE_SPACED.search(original) and _SPACED.search(original) else Shadow(original, original)
    if _UNCHANGED.match(original):
        return _reshaped(original) if _reshapes(original) else Shadow(original, _digits_folded(original))
    folded = [_TABLE[char] for char in original]
    text = "".join(folded)
    if len(text) != len(original) or "" in folded or _COMBINING.search(text) or _reshapes(text):
        return _reshaped(original)
    return Shadow(original, _digits_folded(_letters_folded(text)))


def _reshapes(text: str) -> bool:
    """Whether digits are spelled out or letters spaced out in ``text``."""
    if any(word in text for word in _SPOKEN_DIGITS) and _SPOKEN.search(text):
        return True
    return _MAYBE_SPACED.search(text) is not None and _SPACED.search(text) is not None


def _reshaped(original: str) -> Shadow:
    """The shadow of a text of which characters are dropped, joined or spelled out: built with its map."""
    builder = _Builder(original)
    builder.chars = list(_letters_folded("".join(builder.chars)))
    builder.collapse(_SPOKEN, "0")
    builder.drop_spaces(_SPACED)
    return Shadow(original, _digits_folded("".join(builder.chars)), builder.starts, builder.ends)


def _letters_folded(text: str) -> str:
    """Length-preserving: Cyrillic and Greek look-alikes as ASCII in words that mix scripts."""
    if not _FOREIGN.search(text):
        return text
    return _MIXED_WORD.sub(lambda m: _unmask_homoglyphs(m[0]), text)


def _digits_folded(text: str) -> str:
    """Length-preserving: long kanji numbers as digits, long vowel marks between digits as hyphens."""
    if not _NUMERAL.search(text):
        return text
    text = _KANJI_DASH.sub("-", text)
    text = _KANJI_RUN.sub(lambda m: _digits_of_run(m[0]), text)
    return _DASH_BETWEEN.sub("-", text)


def _unmask_homoglyphs(word: str) -> str:
    """Cyrillic and Greek look-alikes as ASCII, in words that mix scripts only."""
    return word.translate(_HOMOGLYPHS) if any("A" <= char <= "z" for char in word) else word

