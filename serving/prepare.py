"""From a source to a folder that vLLM (or Whisper, or the speaker encoder) loads: fetch, convert, manifest, clean up.

Work happens in ``models/.work/NAME`` and moves to its place in one rename at the end. An interrupted fetch goes on
where it was; an interrupted conversion starts again from the fetched file.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kakehashi.errors import KakehashiError, NotReady, UpstreamError
from kakehashi.paths import CHECKOUT, home
from kakehashi.settings import Settings
from serving import runtime, source
from serving.fetch import Fetch, gib, need_space
from serving.models import MANIFEST, Embedded, Precision, embedded, folder_name, write_manifest

# Report(stage, done, total): stage is fetch or convert; units are bytes for fetch, parameters for convert.
Report = Callable[[str, int, int], None]
TEST_MODEL = "smollm2-135m"
GROWTH: dict[Precision, float] = {"w8a8": 1.7, "bf16": 3.6}  # size after conversion of a 4-bit GGUF file


def wanted_precision(settings: Settings, name: str) -> Precision:
    """int8 on the CPU, where it is three times as quick as bf16; as it comes on a GPU, and for the test model."""
    on_cpu = runtime.device() == "cpu"
    return "w8a8" if settings.engine.quantise and on_cpu and name != TEST_MODEL else "bf16"


def folder_of(name: str, precision: Precision) -> Path:
    """Where an embedded model lies once it is ready."""
    return home().models / (folder_name(name, precision) if embedded(name).kind == "language" else name)


def engine_folder(settings: Settings) -> Path | None:
    """Where the engine's model lies or will lie; None for an external engine."""
    model = source.parse(settings.engine.model)
    if model.kind == "url":
        return None
    precision = wanted_precision(settings, model.value)
    if precision == "bf16" and model.kind == "folder":
        return Path(model.value)
    return home().models / model.folder(precision)


def is_ready(folder: Path) -> bool:
    """A folder of ours has a manifest; one of the user's own is taken as it is."""
    inside = folder.parent == home().models
    return (folder / (MANIFEST if inside else "config.json")).is_file()


def engine_model(settings: Settings) -> Path:
    """The folder the engine is to load. Raises NotReady with the command that makes it."""
    folder = engine_folder(settings)
    if folder is None or not is_ready(folder):
        raise NotReady(
            f"The model {settings.engine.model} is not prepared yet.",
            hint="Run: kakehashi models fetch",
            code="model_missing",
        )
    return folder


@contextmanager
def _work_folder(name: str) -> Iterator[Path]:
    """``models/.work/NAME``, held by one process at a time."""
    folder = home().make().models / ".work" / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{name}.lock")
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KakehashiError(
                f"Another process is preparing {name} right now.", hint="Wait for it.", code="busy"
            ) from error
        yield folder


def fetch(name: str, report: Report, precision: Precision = "w8a8") -> Path:
    """Fetch an embedded model's files; answers the folder with them."""
    model = embedded(name)
    growth = GROWTH[precision] if model.convert == "vllm" else 0.4
    with _work_folder(name) as work:
        Fetch(model, work, lambda done, total: report("fetch", done, total)).run(int(model.bytes * growth))
    return work


def prepare(name: str, report: Report, precision: Precision = "w8a8") -> Path:
    """Make an embedded model ready, unless it is; answers its folder."""
    model = embedded(name)
    target = folder_of(name, precision)
    if (target / MANIFEST).is_file():
        return target
    work = fetch(name, report, precision)
    with _work_folder(name):
        made = work / "made"
        shutil.rmtree(made, ignore_errors=True)
        if model.convert == "none":
            made.mkdir()
            for file in model.files:
                (work / file.name).rename(made / file.name)
        else:
            need_space(work, int(model.bytes * GROWTH[precision]))
            _convert(model.convert, work / model.files[0].name, made, precision, report)
        _publish(made, target, _provenance(model, precision))
        shutil.rmtree(work)
    return target


def prepare_engine(settings: Settings, report: Report) -> Path | None:
    """Make the engine's model ready, whatever the setting names; None for an external engine."""
    model = source.parse(settings.engine.model)
    precision = wanted_precision(settings, model.value)
    folder = engine_folder(settings)
    if folder is None or is_ready(folder):
        return folder
    if model.kind == "embedded":
        return prepare(model.value, report, precision)
    with _work_folder(folder.name) as work:
        origin = _snapshot(model.value, work / "snapshot") if model.kind == "hub" else Path(model.value)
        manifest = {"name": model.name, "source": {"kind": model.kind, "name": _origin_name(model)}}
        if model.kind == "hub" and precision == "bf16":
            _publish(origin, folder, manifest | {"conversion": "none"})
        else:
            need_space(work, int(_weights(origin) * (1.0 if origin.is_dir() else GROWTH[precision])))
            shutil.rmtree(work / "made", ignore_errors=True)
            _convert("vllm", origin, work / "made", precision, report)
            _publish(work / "made", folder, manifest | {"conversion": f"serving.convert --precision {precision}"})
        shutil.rmtree(work)
    return folder


def _origin_name(model: source.Source) -> str:
    """The hub id, or the file's name: never a path, since a manifest must hold on any machine."""
    return model.value if model.kind == "hub" else Path(model.value).name


def _weights(origin: Path) -> int:
    files = [origin] if origin.is_file() else list(origin.glob("*.safetensors"))
    return sum(file.stat().st_size for file in files)


def _snapshot(model_id: str, folder: Path) -> Path:
    """Fetch a model from the Hugging Face hub (or HF_ENDPOINT) into ``folder``; goes on where it was interrupted."""
    code = (
        "import sys, huggingface_hub as hub; hub.snapshot_download(sys.argv[1], local_dir=sys.argv[2], "
        "allow_patterns=['*.safetensors', '*.json', '*.txt', '*.model', '*.jinja'])"
    )
    environment = runtime.module_environment() | {"HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "0")}
    run = subprocess.run(
        [runtime.python(), "-c", code, model_id, str(folder)], env=environment, stderr=subprocess.PIPE, text=True
    )
    if run.returncode:
        raise UpstreamError(
            f"The model {model_id} could not be fetched from the Hugging Face hub: {_last_line(run.stderr)}",
            hint="Check the id, the network, HF_ENDPOINT and HF_TOKEN; or name a local folder in engine.model.",
            code="download_failed",
        )
    return folder


def _convert(kind: str, origin: Path, made: Path, precision: Precision, report: Report) -> None:
    """Run the converter in the engine's environment, passing its progress on."""
    module = ["serving.convert", str(origin), str(made), "--precision", precision]
    if kind == "speaker":
        module = ["serving.convert_speaker", str(origin), str(made)]
    command = [str(runtime.python()), "-m", *module]
    log = made.with_name("convert.log")
    with log.open("w") as errors:
        environment = runtime.module_environment()
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=pipe, stderr=errors, text=True) as process:
            for line in process.stdout or ():
                progress = json.loads(line)
                report("convert", progress["done"], progress["total"])
    if process.returncode:
        raise _conversion_failed(origin, log)


def _conversion_failed(origin: Path, log: Path) -> KakehashiError:
    text = log.read_text(errors="replace")
    if "No space left" in text or "StorageFull" in text:
        free = gib(shutil.disk_usage(log.parent).free)
        return KakehashiError(f"The disk is full ({free} free).", hint="Free some space, then run again.")
    return KakehashiError(f"{origin.name} could not be converted: {_last_line(text)}", code="conversion_failed")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def _provenance(model: Embedded, precision: Precision) -> dict[str, Any]:
    conversion = {"vllm": f"serving.convert --precision {precision}", "speaker": "serving.convert_speaker"}
    return {
        "name": model.name,
        "title": model.title,
        "licence": model.licence,
        "upstream": model.upstream,
        "source": {
            "kind": "packages",
            "packages": sorted({part.package for file in model.files for part in file.parts}),
            "sha256": {file.name: file.sha256 for file in model.files},
        },
        "conversion": conversion.get(model.convert, "none"),
    }


def _publish(made: Path, target: Path, manifest: dict[str, Any]) -> None:
    for file in made.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
    write_manifest(made, manifest)
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)
