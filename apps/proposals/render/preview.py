"""Pictures of a deck: LibreOffice makes the PDF, poppler the PNGs. Everything else works without either."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pptx import Presentation

from apps.proposals.render.package import remove_slides
from apps.proposals.render.xml import Element, el, qn
from kakehashi.errors import KakehashiError, NotReady

APT = "apt-get install -y libreoffice-impress poppler-utils fonts-noto-cjk"
PROFILES = 8  # LibreOffice processes that may run side by side


class PreviewFailed(KakehashiError):
    default_code = "preview_failed"


def missing_tools() -> list[str]:
    """Programs that previews need and that are not on PATH."""
    office = [] if shutil.which("soffice") or shutil.which("libreoffice") else ["soffice (LibreOffice)"]
    return office + ([] if shutil.which("pdftoppm") else ["pdftoppm (poppler-utils)"])


def require_tools() -> None:
    """Raises:
    NotReady: names what is missing and the one command that adds it.
    """
    missing = missing_tools()
    if missing:
        raise NotReady(
            f"プレビューに必要なプログラムがありません / missing for previews: {', '.join(missing)}",
            hint=APT,
            code="preview_tools_missing",
        )


def preview(pptx: Path, out: Path, *, dpi: int = 80, timeout_s: float = 120.0) -> list[Path]:
    """``out/slide-01.png`` … of every slide, in order; older pictures in ``out`` are replaced.

    Raises:
        NotReady: LibreOffice or poppler is not installed.
        PreviewFailed: the conversion failed or took longer than ``timeout_s``.
    """
    require_tools()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kakehashi-preview-") as folder:
        pdf = to_pdf(pptx, Path(folder), timeout_s=timeout_s)
        made = _pictures(pdf, Path(folder), dpi, timeout_s)
        for old in out.glob("slide-*.png"):
            old.unlink()
        return [Path(shutil.move(path, out / f"slide-{n:02d}.png")) for n, path in enumerate(made, 1)]


def slide_png(pptx: Path, number: int, out: Path, *, dpi: int = 80, timeout_s: float = 60.0) -> Path:
    """The picture of one slide (from 1): only that slide is converted, which is quicker for long decks."""
    require_tools()
    with tempfile.TemporaryDirectory(prefix="kakehashi-preview-") as folder:
        single = Path(folder) / "slide.pptx"
        prs = Presentation(str(pptx))
        remove_slides(prs, keep={number - 1})
        _fix_number(prs.slides[0].element, number)
        prs.save(str(single))
        pdf = to_pdf(single, Path(folder), timeout_s=timeout_s)
        out.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(_pictures(pdf, Path(folder), dpi, timeout_s)[0], out))


def _fix_number(slide: Element, number: int) -> None:
    """Alone in a file the slide would count as the first: its number field becomes plain text."""
    for field in list(slide.iter(qn("a:fld"))):
        if field.get("type") == "slidenum":
            run = el("a:r", field.find(qn("a:rPr")), el("a:t", text=str(number)))
            field.getparent().replace(field, run)


def to_pdf(pptx: Path, folder: Path, *, timeout_s: float = 120.0) -> Path:
    """Convert by LibreOffice with a profile of its own, so that several may run at once."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        require_tools()
    with _profile() as profile:
        arguments = [
            str(office),
            "--headless",
            "--norestore",
            "--nolockcheck",
            f"-env:UserInstallation={profile.as_uri()}",
            "--convert-to",
            "pdf",
            "--outdir",
            str(folder),
            str(pptx),
        ]
        said = _run(arguments, timeout_s)
    pdf = folder / f"{pptx.stem}.pdf"
    if not pdf.is_file():
        raise PreviewFailed(f"{pptx.name}: LibreOffice が PDF を作れませんでした / no PDF was made. {said[-300:]}")
    return pdf


def _pictures(pdf: Path, folder: Path, dpi: int, timeout_s: float) -> list[Path]:
    said = _run(["pdftoppm", "-r", str(dpi), "-png", str(pdf), str(folder / "page")], timeout_s)
    made = sorted(folder.glob("page-*.png"))
    if not made:
        raise PreviewFailed(f"{pdf.name}: 画像を作れませんでした / no pictures were made. {said[-300:]}")
    return made


def _run(arguments: list[str], timeout_s: float) -> str:
    """Run in a process group of its own; on timeout the whole group is ended (soffice starts children)."""
    environment = {**os.environ, "SAL_USE_VCLPLUGIN": "svp"}
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                name = Path(arguments[0]).name
                raise PreviewFailed(
                    f"{name}: {timeout_s:g} 秒で終わりませんでした / did not finish", code="preview_timeout"
                ) from error
            raise
    return said.decode(errors="replace")


@contextlib.contextmanager
def _profile() -> Iterator[Path]:
    """A LibreOffice profile folder nobody else is using; kept for the next time, because making one takes seconds."""
    base = Path(tempfile.gettempdir()) / f"kakehashi-office-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.stat().st_uid != os.getuid():
        raise PreviewFailed(f"{base}: 別の利用者の物です / belongs to another user")
    for number in range(PROFILES):
        with (base / f"{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield base / str(number)
            return
    with tempfile.TemporaryDirectory(prefix="kakehashi-office-") as spare:
        yield Path(spare)


def fonts_in(pdf: Path) -> list[str]:
    """Names of the faces a PDF really uses (``pdffonts``), to see what was substituted."""
    said = _run(["pdffonts", str(pdf)], 30.0)
    return sorted(
        {line.split()[0].partition("+")[2] or line.split()[0] for line in said.splitlines()[2:] if line.split()}
    )
