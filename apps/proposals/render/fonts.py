"""Find font files by face name and read their widths. A face that is missing is measured with a stand-in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

DEFAULT_FACE = "BIZ UDPGothic"
DEFAULT_SERIF = "BIZ UDPMincho"

# Japanese names of faces, as they stand in templates → the English name in the font file.
ENGLISH = {
    "biz udpゴシック": "BIZ UDPGothic",
    "biz udゴシック": "BIZ UDGothic",
    "biz udp明朝": "BIZ UDPMincho",
    "游ゴシック": "Yu Gothic",
    "游ゴシック light": "Yu Gothic Light",
    "游明朝": "Yu Mincho",
    "メイリオ": "Meiryo",
    "meiryo ui": "Meiryo UI",
    "ms pゴシック": "MS PGothic",
    "ms ゴシック": "MS Gothic",
    "ms p明朝": "MS PMincho",
    "ms 明朝": "MS Mincho",
    "hgp創英角ゴシックub": "HGPSoeiKakugothicUB",
    "ヒラギノ角ゴ pron w3": "Hiragino Kaku Gothic ProN",
    "ipaexゴシック": "IPAexGothic",
}

# Free faces with the same widths, then general stand-ins.
METRIC_TWINS = {
    "arial": "Liberation Sans",
    "helvetica": "Liberation Sans",
    "times new roman": "Liberation Serif",
    "courier new": "Liberation Mono",
    "calibri": "Carlito",
    "cambria": "Caladea",
    "ms pgothic": "IPAexGothic",
}
STAND_INS_WIDE = ("Noto Sans CJK JP", "BIZ UDPGothic", "BIZ UDGothic", "IPAexGothic", "Droid Sans Fallback")
STAND_INS_LATIN = ("Liberation Sans", "Noto Sans", "DejaVu Sans", "BIZ UDPGothic")
SERIF = (
    "mincho",
    "明朝",
    "serif",
    "times",
    "georgia",
    "garamond",
    "cambria",
    "roman",
    "book antiqua",
    "playfair",
    "merriweather",
)


def looks_serif(face: str) -> bool:
    name = face.lower().replace("sans serif", "").replace("sans-serif", "")
    return any(word in name for word in SERIF)


def _folders() -> Iterator[Path]:
    home = Path.home()
    yield from (home / ".fonts", home / ".local/share/fonts", home / "Library/Fonts")
    if sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"))
    elif sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"
    else:
        yield from (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))


@dataclass(frozen=True)
class FontFile:
    path: str
    index: int


def _names_in(path: Path) -> Iterator[tuple[str, str, FontFile]]:
    """Family, style and place of each face of a file; unreadable files have none."""
    for index in range(16 if path.suffix.lower() in (".ttc", ".otc") else 1):
        try:
            family, style = ImageFont.truetype(str(path), 8, index=index).getname()
        except OSError:
            return
        if family:
            yield family, style or "", FontFile(str(path), index)


@cache
def installed() -> dict[tuple[str, bool], FontFile]:
    """(family in lower case, bold) → file, for the regular and bold faces on this machine."""
    found: dict[tuple[str, bool], FontFile] = {}
    for folder in _folders():
        if not folder.is_dir():
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in (".ttf", ".otf", ".ttc", ".otc"):
                continue
            for family, style, place in _names_in(path):
                plain = style.lower()
                if "italic" in plain or "oblique" in plain:
                    continue
                bold = plain in ("bold", "w6", "heavy")
                if bold or plain in ("regular", "book", "roman", "normal", "medium", "", "w3", "light"):
                    found.setdefault((family.lower(), bold), place)
    return found


def english_name(face: str) -> str:
    """The name in the font file, for a face named in Japanese or in full-width letters."""
    folded = face.strip().translate({code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}).replace("\u3000", " ")
    return ENGLISH.get(folded.lower(), folded)


def is_installed(face: str) -> bool:
    return (english_name(face).lower(), False) in installed()


@dataclass
class Metrics:
    """Widths of one face, in em. Without any font file a wide character counts 1.0 em, others 0.58."""

    face: str
    file: FontFile | None
    widen: float = 1.0
    _widths: dict[str, float] = field(default_factory=dict, repr=False)
    _font: ImageFont.FreeTypeFont | None = field(default=None, repr=False)

    UNITS = 256

    def advance(self, char: str) -> float:
        width = self._widths.get(char)
        if width is None:
            width = self._widths[char] = self._measure(char) * self.widen
        return width

    def _measure(self, char: str) -> float:
        if self.file is None:
            return 1.0 if ord(char) > 0x2E7F else 0.58
        if self._font is None:
            self._font = ImageFont.truetype(
                self.file.path, self.UNITS, index=self.file.index, layout_engine=ImageFont.Layout.BASIC
            )
        return float(self._font.getlength(char)) / self.UNITS


def _stand_in(face: str, wide: bool) -> str | None:
    twin = METRIC_TWINS.get(face.lower())
    serif = ("Noto Serif CJK JP",) if wide else ("Liberation Serif",)
    options = (*((twin,) if twin else ()), *(serif if looks_serif(face) else ()))
    options += STAND_INS_WIDE if wide else STAND_INS_LATIN
    return next((name for name in options if (name.lower(), False) in installed()), None)


@lru_cache(maxsize=256)
def metrics(face: str, *, bold: bool = False, wide: bool = False) -> Metrics:
    """Widths of ``face``; ``wide`` says that it is used for East Asian text (which stand-in to take)."""
    name = english_name(face)
    present = (name.lower(), False) in installed()
    actual = name if present else _stand_in(name, wide)
    if actual is None:
        return Metrics(face, None, 1.05 if bold else 1.0)
    regular = installed()[(actual.lower(), False)]
    file = installed().get((actual.lower(), bold), regular)
    return Metrics(face, file, 1.06 if bold and file == regular else 1.0)
