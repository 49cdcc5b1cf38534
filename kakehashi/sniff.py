"""What a file is, by its first bytes. The name counts for nothing: an executable called ``.wav`` is an executable.

Only the demuxer that fits is ever opened. FFmpeg's own guessing would also follow playlists to other files.
"""

from __future__ import annotations

import string
from typing import Final

HEAD_BYTES: Final = 4096

# (offset, bytes) → FFmpeg demuxer
_MEDIA: Final = (
    (8, b"WAVE", "wav"),
    (8, b"AVI ", "avi"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (0, b"#!AMR", "amr"),
    (0, b".snd", "au"),
    (0, b"caff", "caf"),
    (0, b"riff\x2e\x91\xcf\x11", "w64"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
)

# (offset, bytes) → kind, in one word
_OTHER: Final = (
    (0, b"MZ", "program"),
    (0, b"\x7fELF", "program"),
    (0, b"\xcf\xfa\xed\xfe", "program"),
    (0, b"\xca\xfe\xba\xbe", "program"),
    (0, b"#!", "program"),
    (0, b"%PDF", "pdf"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\xd0\xcf\x11\xe0", "office"),
    (0, b"\x89PNG", "image"),
    (0, b"\xff\xd8\xff", "image"),
    (0, b"GIF8", "image"),
    (0, b"BM", "image"),
    (8, b"WEBP", "image"),
    (0, b"#EXTM3U", "playlist"),
    (0, b"\x1f\x8b", "archive"),
    (0, b"7z\xbc\xaf", "archive"),
    (0, b"Rar!", "archive"),
    (0, b"MThd", "midi"),
)
_PRINTABLE: Final = frozenset(string.printable.encode())


def demuxer(head: bytes) -> str | None:
    """FFmpeg's name of the container that begins with these bytes, or None when it is no recording we know."""
    for offset, magic, name in _MEDIA:
        if head[offset : offset + len(magic)] == magic:
            return name
    if _is_mpeg_audio(head):
        return "mp3"
    if _is_adts(head):
        return "aac"
    return "mpegts" if len(head) > 376 and head[0] == head[188] == head[376] == 0x47 else None


def kind(head: bytes) -> str:
    """What something that is no recording seems to be (one word)."""
    for offset, magic, name in _OTHER:
        if head[offset : offset + len(magic)] == magic:
            return name
    return "text" if _is_text(head) else "unknown"


def _is_mpeg_audio(head: bytes) -> bool:
    """An MPEG audio frame header: sync, a layer, and neither a forbidden bit rate nor sampling rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    layer, version = head[1] >> 1 & 3, head[1] >> 3 & 3
    return layer != 0 and version != 1 and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3


def _is_adts(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13


def _is_text(head: bytes) -> bool:
    try:
        head[: len(head) - 3 if len(head) == HEAD_BYTES else None].decode()
    except UnicodeDecodeError:
        return bool(head) and sum(byte in _PRINTABLE for byte in head) > 0.97 * len(head)
    return b"\0" not in head
