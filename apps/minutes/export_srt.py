"""A transcript as SubRip subtitles."""

from __future__ import annotations

from apps.minutes.model import Transcript


def timestamp(seconds: float) -> str:
    """``HH:MM:SS,mmm``."""
    milliseconds = max(0, round(seconds * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"


def to_srt(transcript: Transcript) -> str:
    """One numbered block per segment, its speaker before its text; empty segments are left out."""
    spoken = [s for s in transcript.segments if s.text.strip()]
    blocks = [
        f"{number}\n{timestamp(s.start)} --> {timestamp(max(s.end, s.start + 0.001))}\n"
        f"{s.speaker}: {' '.join(s.text.split())}\n"
        for number, s in enumerate(spoken, 1)
    ]
    return "\n".join(blocks)
