"""Reader for pdf: visible text line by line with its page, and apart from it what the page does not show."""

from __future__ import annotations

import io
from typing import Any

from pypdf import PageObject, PdfReader

from apps.proposals.evidence.document import Document

MAX_PAGES = 200
_TINY_PT = 3.0


class Locked(ValueError):
    """The file wants a password."""


def read_pdf(data: bytes, document: Document) -> None:
    """Lines of every page. Raises Locked, pypdf's PdfReadError."""
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Locked
    for number, page in enumerate(reader.pages[:MAX_PAGES], start=1):
        _page(page, number, document)
    if len(reader.pages) > MAX_PAGES:
        document.notes.append(
            (
                "evidence_truncated",
                f"{document.name} は先頭の{MAX_PAGES}ページまで読みました。",
                f"Only the first {MAX_PAGES} pages of {document.name} were read.",
            )
        )
    if not any(not p.hidden for p in document.pieces):
        document.notes.append(
            (
                "evidence_no_text",
                (
                    f"{document.name} には文字情報がありません（画像だけのPDFです）"
                    f"。文字を含むPDFか元のファイルを添付してください。"
                ),
                f"{document.name} holds no text (it is a scan). Attach the original file or a PDF with text.",
            )
        )
    for name, value in (reader.metadata or {}).items():
        if name in ("/Subject", "/Keywords", "/Title"):
            document.add(str(value), f"property {name[1:].lower()}", "document property")


def _page(page: PageObject, number: int, document: Document) -> None:
    shown: list[str] = []
    concealed: list[tuple[str, str]] = []
    state: dict[str, Any] = {"mode": 0, "white": False, "stack": []}
    box = page.mediabox

    def operand(operator: Any, operands: Any, _cm: Any, _tm: Any) -> None:
        _track(state, operator, operands)

    def text(chunk: str, cm: Any, tm: Any, _font: Any, size: float) -> None:
        reason = _reason(state, cm, tm, size, box) if chunk.strip() else ""
        if reason:
            concealed.append((chunk, reason))
            shown.append("\n" if chunk.endswith("\n") else "")
        else:
            shown.append(chunk)

    page.extract_text(visitor_operand_before=operand, visitor_text=text)
    if not "".join(shown).strip() and all(reason == "invisible text" for _, reason in concealed):
        shown, concealed = [c for c, _ in concealed], []  # the text layer of a scanned page
    for line in "".join(shown).split("\n"):
        document.add(line, f"page {number}")
    by_reason: dict[str, str] = {}
    for chunk, reason in concealed:
        by_reason[reason] = by_reason.get(reason, "") + chunk
    for reason, joined in by_reason.items():
        document.add(joined, f"page {number}", reason)
    for annotation in page.get("/Annots") or []:
        document.add(str(annotation.get_object().get("/Contents") or ""), f"page {number}", "annotation")


def _track(state: dict[str, Any], operator: bytes, operands: Any) -> None:
    """Follow text rendering mode and fill colour through the content stream."""
    values = [float(v) for v in operands if isinstance(v, int | float)] if operands else []
    if operator == b"q":
        state["stack"].append((state["mode"], state["white"]))
    elif operator == b"Q" and state["stack"]:
        state["mode"], state["white"] = state["stack"].pop()
    elif operator == b"Tr" and values:
        state["mode"] = int(values[0])
    elif operator in (b"rg", b"g", b"sc", b"scn") and values:
        state["white"] = all(v >= 0.99 for v in values)
    elif operator == b"k" and values:
        state["white"] = all(v <= 0.01 for v in values)


def _reason(state: dict[str, Any], cm: Any, tm: Any, size: float, box: Any) -> str:
    if state["mode"] in (3, 7):
        return "invisible text"
    if state["white"]:
        return "white text"
    scale = max(abs(float(tm[0])), abs(float(tm[3])), 1e-6) * max(abs(float(cm[0])), abs(float(cm[3])), 1e-6)
    if 0 < abs(float(size)) * scale < _TINY_PT:
        return "tiny text"
    x = float(cm[0]) * float(tm[4]) + float(cm[2]) * float(tm[5]) + float(cm[4])
    y = float(cm[1]) * float(tm[4]) + float(cm[3]) * float(tm[5]) + float(cm[5])
    outside = not (
        float(box.left) - 5 <= x <= float(box.right) + 5 and float(box.bottom) - 5 <= y <= float(box.top) + 5
    )
    return "text outside the page" if outside else ""
