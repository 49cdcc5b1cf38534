"""How wide and how high text becomes: font widths, kinsoku, whole Latin words, 5 % margin.

LibreOffice and PowerPoint break lines themselves; this predicts how, and errs on the side of more lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apps.proposals.render.fonts import DEFAULT_FACE, Metrics, metrics

MARGIN = 0.95  # share of the width that text may fill: never fewer lines than LibreOffice made, in our trials

# em from line to line at 100 %: PowerPoint's base for a percentage, whatever the face; LibreOffice follows it.
PITCH = 1.2

# JIS X 4051: may not begin a line / may not end a line.
NO_START = frozenset(
    "、。，．・：；？！゛゜ヽヾゝゞ々ー’”）〕］｝〉》」』】〙〗〟｠»‐゠–〜～‥…ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ"
    "ㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ/／,.:;?!)]}%％‰℃°′″″、｡｣､･ｰ"
)
NO_END = frozenset("‘“（〔［｛〈《「『【〘〖〝｟«([{￥＄£＠§〒＃｢$¥")


def is_wide(char: str) -> bool:
    """Set in the East Asian face: kana, kanji, full-width forms, and the symbols Japanese text uses."""
    code = ord(char)
    return code >= 0x2E80 or 0x2010 <= code <= 0x27FF


@lru_cache(maxsize=64)
def _typeface(latin: str, wide: str, bold: bool) -> tuple[Metrics, Metrics]:
    return metrics(latin, bold=bold), metrics(wide, bold=bold, wide=True)


@lru_cache(maxsize=50_000)
def _em(text: str, latin: str, wide: str, bold: bool) -> float:
    narrow, full = _typeface(latin, wide, bold)
    return sum((full if is_wide(char) else narrow).advance(char) for char in text)


@dataclass(frozen=True)
class Typeface:
    """The pair of faces a run is set in."""

    latin: str = DEFAULT_FACE
    wide: str = DEFAULT_FACE

    def width(self, text: str, size: float, *, bold: bool = False) -> float:
        """Points, without line breaks."""
        return size * _em(text, self.latin, self.wide, bold)


@lru_cache(maxsize=10_000)
def clusters(text: str) -> tuple[str, ...]:
    """Pieces that are never broken: Latin words, wide characters with the marks that must stay with them."""
    pieces: list[str] = []
    glue = False  # the last piece may not end a line
    for piece in _atoms(text):
        if pieces and not pieces[-1].isspace() and not piece.isspace() and (glue or piece[0] in NO_START):
            pieces[-1] += piece
        else:
            pieces.append(piece)
        glue = piece[-1] in NO_END
    return tuple(pieces)


def _atoms(text: str) -> Iterator[str]:
    word = ""
    for char in text:
        if char.isspace() or is_wide(char):
            if word:
                yield word
                word = ""
            yield char
        else:
            word += char
            if char in "-/" and len(word) > 1 and word[-2].isalpha():
                yield word
                word = ""
    if word:
        yield word


def wrap(text: str, width: float, size: float, face: Typeface, *, bold: bool = False) -> list[str]:
    """The lines of ``text`` in a box ``width`` points wide. Explicit line breaks (\\n, \\v) are kept."""
    lines: list[str] = []
    for part in text.replace("\v", "\n").split("\n"):
        lines.extend(_wrap_part(part, round(width * MARGIN, 2), size, face, bold))
    return lines


@lru_cache(maxsize=20_000)
def _wrap_part(text: str, room: float, size: float, face: Typeface, bold: bool) -> tuple[str, ...]:
    lines: list[str] = []
    line, used = "", 0.0
    for piece in clusters(text):
        width = face.width(piece, size, bold=bold)
        if line and used + face.width(piece.rstrip(), size, bold=bold) > room and not piece.isspace():
            lines.append(line.rstrip())
            line, used = "", 0.0
        if width > room:  # a word longer than the line is cut anywhere
            *full, line = _cut(piece, room, size, face, bold)
            lines.extend(full)
            used = face.width(line, size, bold=bold)
        elif line or not piece.isspace():
            line += piece
            used += width
    return (*lines, line.rstrip())


def _cut(piece: str, room: float, size: float, face: Typeface, bold: bool) -> list[str]:
    out, line, used = [], "", 0.0
    for char in piece:
        width = face.width(char, size, bold=bold)
        if line and used + width > room:
            out.append(line)
            line, used = "", 0.0
        line += char
        used += width
    return [*out, line]


@dataclass(frozen=True)
class Measured:
    """A paragraph reduced to what decides its height."""

    text: str
    size: float
    bold: bool = False
    indent: float = 0.0
    before: float = 0.0
    spacing: float = 1.0


def height(paragraphs: Sequence[Measured], width: float, face: Typeface) -> float:
    """Points needed by the paragraphs one under another (space before the first is not counted)."""
    total = 0.0
    for number, par in enumerate(paragraphs):
        lines = len(wrap(par.text, max(width - par.indent, par.size), par.size, face, bold=par.bold))
        total += lines * par.size * PITCH * par.spacing + (par.before if number else 0.0)
    return total
