"""Opening attachments: size, kind and health of the file are checked before any reader sees it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from docx.opc.exceptions import PackageNotFoundError
from openpyxl.utils.exceptions import InvalidFileException
from pypdf.errors import PyPdfError

from apps.proposals.evidence.document import Document
from apps.proposals.evidence.office import read_docx, read_xlsx
from apps.proposals.evidence.pdf import Locked, read_pdf
from apps.proposals.evidence.text_files import Undecodable, read_csv, read_minutes, read_text
from apps.proposals.language import Language, pick
from kakehashi.errors import BadInput

KINDS = (".txt", ".md", ".pdf", ".docx", ".xlsx", ".csv", ".json")
MAX_UNPACKED = 400 * 1024 * 1024
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")


def read_evidence(paths: Iterable[Path], *, max_mib: int = 50, say: Language = "ja") -> list[Document]:
    """Read all attachments; a folder stands for the files in it. Raises BadInput naming the file."""
    return [read_file(path, max_mib=max_mib, say=say) for path in expand(paths)]


def expand(paths: Iterable[Path]) -> list[Path]:
    """Files in the order given; of a folder, those of a known kind by name."""
    files: list[Path] = []
    for path in paths:
        files += sorted(p for p in path.iterdir() if p.suffix.lower() in KINDS) if path.is_dir() else [path]
    return files


def read_file(path: Path, *, max_mib: int = 50, say: Language = "ja") -> Document:
    """Read one attachment. Raises BadInput (codes evidence_*)."""
    if not path.is_file():
        raise _bad(
            "evidence_not_found", say, f"添付資料がありません: {path.name}", f"There is no attachment '{path.name}'."
        )
    if path.stat().st_size > max_mib * 1024 * 1024:
        raise _bad(
            "evidence_too_large",
            say,
            f"添付資料が大きすぎます: {path.name}（上限 {max_mib} MiB）",
            f"The attachment '{path.name}' is too large (limit {max_mib} MiB).",
        )
    return parse_file(path.read_bytes(), path.name, say=say)


def parse_file(data: bytes, name: str, *, say: Language = "ja") -> Document:
    """Read one attachment from bytes. Raises BadInput (codes evidence_*)."""
    kind = Path(name).suffix.lower()
    if kind not in KINDS:
        raise _bad(
            "evidence_unsupported",
            say,
            f"この形式の添付資料は読めません: {name}",
            f"Attachments of this kind cannot be read: '{name}'.",
            f"使える形式: {' '.join(KINDS)}",
            f"Usable: {' '.join(KINDS)}",
        )
    if not data.strip():
        raise _bad("evidence_empty", say, f"添付資料が空です: {name}", f"The attachment '{name}' is empty.")
    if data.startswith(_PROGRAMS):
        raise _bad(
            "evidence_unsupported",
            say,
            f"添付資料の中身がプログラムです: {name}",
            f"The attachment '{name}' is a program, not a document.",
        )
    if data.startswith(_OLE):
        raise _bad(
            "evidence_encrypted",
            say,
            f"添付資料がパスワードで保護されているか、古い形式です: {name}",
            f"The attachment '{name}' is protected by a password or in an old format.",
            "保護を外し、.docx または .xlsx で保存し直してください。",
            "Remove the protection and save it as .docx or .xlsx.",
        )
    document = Document(name, hashlib.sha256(data).hexdigest())
    try:
        _reader(kind, data)(data, document)
    except Locked as error:
        raise _bad(
            "evidence_encrypted",
            say,
            f"添付資料がパスワードで保護されています: {name}",
            f"The attachment '{name}' is protected by a password.",
            "保護を外してください。",
            "Remove the protection.",
        ) from error
    except (
        PyPdfError,
        PackageNotFoundError,
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        AttributeError,
        TypeError,
        IndexError,
        SyntaxError,
        OSError,
    ) as error:
        # Broken files fail in as many ways as there are parsers below; none of these says anything to the user.
        raise _bad(
            "evidence_corrupt",
            say,
            f"添付資料を開けません（壊れているか、拡張子と中身が違います）: {name}",
            f"The attachment '{name}' cannot be opened: it is damaged or not what its name says.",
            "元のアプリで開けるか確かめ、保存し直してください。",
            "Check that it opens in its application and save it again.",
        ) from error
    if not document.pieces and not document.grids and not document.notes:
        raise _bad(
            "evidence_empty",
            say,
            f"添付資料に読める内容がありません: {name}",
            f"The attachment '{name}' holds nothing to read.",
        )
    return document


def _reader(kind: str, data: bytes) -> Callable[[bytes, Document], None]:
    if kind in (".docx", ".xlsx"):
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            if sum(info.file_size for info in package.infolist()) > MAX_UNPACKED:
                raise zipfile.BadZipFile("unpacks to more than the limit")
        return read_docx if kind == ".docx" else read_xlsx
    if kind == ".json":
        return _minutes
    return {".pdf": read_pdf, ".csv": read_csv}.get(kind, read_text)


def _minutes(data: bytes, document: Document) -> None:
    if not read_minutes(data, document):
        raise Undecodable("not a minutes.json")


def _bad(code: str, say: Language, ja: str, en: str, hint_ja: str = "", hint_en: str = "") -> BadInput:
    return BadInput(pick(say, ja, en), hint=pick(say, hint_ja, hint_en), code=code)
