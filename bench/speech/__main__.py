"""``python -m bench.speech quality | speed | memory``. Needs the embedded models (``kakehashi models fetch``)."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from faster_whisper import BatchedInferencePipeline, WhisperModel

from apps.minutes.model import Transcript
from apps.minutes.speech.recognise import Hints, model_folder, prompt
from apps.minutes.speech.transcribe import transcribe
from bench.speech.measures import error_rate, quality
from kakehashi.paths import CHECKOUT
from kakehashi.settings import load

AUDIO = CHECKOUT / "tests" / "data" / "audio"
DEMO = CHECKOUT / "demo" / "meeting_ja.ogg"


def made(audio: Path, *, hints: bool = True) -> Transcript:
    """The transcript of a recording, from nothing."""
    about = json.loads(audio.with_suffix(".reference.json").read_text())
    people, terms = about["participants"], about["glossary"] if hints else []
    with tempfile.TemporaryDirectory() as work:
        return transcribe(
            audio,
            work=Path(work),
            settings=load(),
            participants=people if hints else [],
            glossary=terms,
            language=about["language"],
        )


@click.group()
def bench() -> None:
    """Speech benchmarks."""


@bench.command("quality")
@click.option("--without-hints", is_flag=True, help="Neither glossary nor participants are given.")
def quality_command(without_hints: bool) -> None:
    """Character errors, terms, names and speakers on the development and the held-out meetings, apart."""
    for name, folder in (("development", AUDIO / "dev"), ("held out", AUDIO / "heldout")):
        recordings = sorted(folder.glob("*.ogg")) + ([DEMO] if name == "development" else [])
        click.echo(f"{name}: recording, CER, terms heard, names too many, speech covered, right speaker, speakers")
        rates = []
        for audio in recordings:
            reference = json.loads(audio.with_suffix(".reference.json").read_text())
            found = quality(made(audio, hints=not without_hints), reference)
            rates.append(found.errors)
            click.echo(
                f"  {audio.stem:14} {found.errors:.3f}  {found.terms_heard}/{found.terms_said}  {found.names_wrong}  "
                f"{found.covered:.2f}  {found.speakers:.3f}  {found.speakers_found}/{found.speakers_real}"
            )
        click.echo(f"  mean CER {sum(rates) / len(rates):.3f}")


@bench.command()
@click.option("--rounds", default=3, show_default=True)
def speed(rounds: int) -> None:
    """Seconds for the demo recording against bare faster-whisper, same model, threads, beam, words and prompt."""
    about = json.loads(DEMO.with_suffix(".reference.json").read_text())
    settings = load()
    folder = model_folder(settings.minutes.whisper, settings.home)
    hotwords = prompt(Hints(tuple(about["glossary"]), tuple(about["participants"])), about["language"])
    model = WhisperModel(str(folder), compute_type="int8", cpu_threads=0)
    options = {"language": about["language"], "word_timestamps": True, "hotwords": hotwords, "vad_filter": True}
    batched = BatchedInferencePipeline(model)
    ways: dict[str, Callable[[], str]] = {
        "faster-whisper": lambda: _text(model.transcribe(str(DEMO), condition_on_previous_text=False, **options)[0]),
        "faster-whisper, batched": lambda: _text(batched.transcribe(str(DEMO), batch_size=8, **options)[0]),
        "ours, with speakers": lambda: _text(made(DEMO).segments),
    }
    said = "".join(line["text"] for line in about["segments"])
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            text = way()
            best[name] = min(best.get(name, 1e9), time.perf_counter() - began)
            click.echo(f"  {name:26} {time.perf_counter() - began:7.2f} s   CER {error_rate(said, text):.3f}")
    length = about["segments"][-1]["end"]
    for name, seconds in best.items():
        ratio = best[name] / best["ours, with speakers"]
        click.echo(f"{name:28} best {seconds:6.2f} s   RTF {seconds / length:.3f}   {ratio:.2f} × our time")


def _text(segments: object) -> str:
    return "".join(segment.text for segment in segments)  # type: ignore[attr-defined]


@bench.command()
@click.option("--minutes", "lengths", multiple=True, type=int, default=(10, 120), show_default=True)
def memory(lengths: tuple[int, ...]) -> None:
    """Largest resident memory of a process that transcribes the demo recording looped to a length."""
    for length in lengths:
        with tempfile.TemporaryDirectory() as folder:
            audio = Path(folder) / "long.ogg"
            command = [
                "ffmpeg",
                "-v",
                "error",
                "-stream_loop",
                "-1",
                "-i",
                str(DEMO),
                "-t",
                str(60 * length),
                "-c",
                "copy",
            ]
            subprocess.run([*command, str(audio)], check=True)
            child = [sys.executable, "-m", "bench.speech", "one", str(audio), folder]
            click.echo(subprocess.run(child, check=True, capture_output=True, text=True).stdout.strip())


@bench.command(hidden=True)
@click.argument("audio", type=click.Path(path_type=Path))
@click.argument("work", type=click.Path(path_type=Path))
def one(audio: Path, work: Path) -> None:
    """One transcription in this process, and what it took."""
    began = time.perf_counter()
    found = transcribe(audio, work=work, settings=load(), language="ja")
    spent, length = time.perf_counter() - began, found.meta["audio"]["duration"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    speakers = len(found.speakers)
    click.echo(
        f"{length / 60:6.1f} min: {peak:6.0f} MiB, RTF {spent / length:.3f}, last word at {found.segments[-1].end / 60:.1f} min, "
        f"{speakers} speakers, stages {found.meta['timings_s']}"
    )


if __name__ == "__main__":
    bench()
