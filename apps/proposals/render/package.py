"""The .pptx package: open a template safely, remove its samples, write properties, save the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree
from pptx import Presentation
from pptx.exc import PackageNotFoundError
from pptx.opc.constants import RELATIONSHIP_TYPE as RT
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI

from apps.common import properties
from apps.common.properties import custom_xml
from apps.proposals.render.archive import normalised
from apps.proposals.render.xml import Element, drop, qn
from kakehashi.errors import BadInput

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_FILES, MAX_BYTES = 5000, 500 * 1024 * 1024  # unpacked; guards against zip bombs
MAIN = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
OTHER_MAINS = (
    "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.template.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml",
)
VBA = "http://schemas.microsoft.com/office/2006/relationships/vbaProject"


@dataclass
class Opened:
    """A template ready to be written to. ``usage``: layout part name → number of sample slides that used it."""

    prs: Any
    samples: int = 0
    macros: bool = False
    usage: dict[str, int] = field(default_factory=dict)


def open_template(path: Path) -> Opened:
    """Open .pptx, .potx, .ppsx (or the macro-enabled forms, without their macros) and remove the sample slides.

    Raises:
        BadInput: missing, empty, not a PowerPoint file, encrypted, corrupt, too large, or without layouts.
    """
    data = read_package(path)
    converted, macros = as_presentation(data, path.name)
    try:
        prs = Presentation(io.BytesIO(converted))
        layouts = [layout for master in prs.slide_masters for layout in master.slide_layouts]
    except (
        KeyError,
        ValueError,
        AttributeError,
        PackageNotFoundError,
        etree.XMLSyntaxError,
        zipfile.BadZipFile,
    ) as error:
        raise BadInput(
            f"{path.name}: ファイルの中身が壊れています / the package is damaged ({error})",
            hint="PowerPoint で開いて保存し直してください。 Open it in PowerPoint and save it again.",
            code="template_corrupt",
        ) from error
    if not layouts:
        raise BadInput(
            f"{path.name}: レイアウトがありません / the template has no layouts",
            hint="スライドマスターにレイアウトを追加してください。 Add layouts to the slide master.",
            code="template_no_layouts",
        )
    usage: dict[str, int] = {}
    for slide in prs.slides:
        name = str(slide.slide_layout.part.partname)
        usage[name] = usage.get(name, 0) + 1
    opened = Opened(prs, len(prs.slides), macros, usage)
    remove_slides(prs)
    _remove_leftovers(prs, macros)
    return opened


def read_package(path: Path) -> bytes:
    """The bytes of a zip package, checked to be one that can be read whole.

    Raises:
        BadInput: says which of the many ways a file can be unusable.
    """
    if not path.is_file():
        raise BadInput(f"{path.name}: ファイルが見つかりません / no such file", code="template_missing")
    data = path.read_bytes()
    if not data:
        raise BadInput(f"{path.name}: 空のファイルです / the file is empty", code="template_empty")
    if data.startswith(OLE):
        encrypted = "EncryptedPackage".encode("utf-16-le") in data
        what = (
            "パスワードで保護されています / protected by a password"
            if encrypted
            else "古い形式 (.ppt) です / old .ppt format"
        )
        raise BadInput(
            f"{path.name}: {what}",
            hint="保護を外すか .pptx で保存し直してください。 Remove the protection or save as .pptx.",
            code="template_encrypted" if encrypted else "template_old_format",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_archive(archive, path.name)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        is_zip = data.startswith(b"PK")
        what = (
            "ファイルが壊れています / the zip archive is damaged"
            if is_zip
            else "PowerPoint のファイルではありません / not a PowerPoint file"
        )
        raise BadInput(
            f"{path.name}: {what}",
            hint=".pptx または .potx を指定してください。 Give a .pptx or .potx file.",
            code="template_corrupt" if is_zip else "template_not_pptx",
        ) from error
    return data


def _check_archive(archive: zipfile.ZipFile, name: str) -> None:
    infos = archive.infolist()
    if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > MAX_BYTES:
        raise BadInput(f"{name}: 大きすぎます / unpacks to more than 500 MB or 5,000 parts", code="template_too_large")
    names = {info.filename for info in infos}
    if "[Content_Types].xml" not in names:
        raise BadInput(
            f"{name}: PowerPoint のファイルではありません / a zip file, but not PowerPoint", code="template_not_pptx"
        )
    main = archive.read("[Content_Types].xml")
    if not any(kind.encode() in main for kind in (MAIN, *OTHER_MAINS)):
        what = "Word" if b"wordprocessingml" in main else "Excel" if b"spreadsheetml" in main else "Office"
        raise BadInput(
            f"{name}: {what} のファイルで、PowerPoint ではありません / a file of {what}, not PowerPoint",
            hint=".pptx または .potx を指定してください。 Give a .pptx or .potx file.",
            code="template_not_pptx",
        )
    broken = archive.testzip()
    if broken is not None:
        raise zipfile.BadZipFile(broken)


def as_presentation(data: bytes, name: str) -> tuple[bytes, bool]:
    """The package with the content type of a plain presentation; True when it held macros."""
    source = zipfile.ZipFile(io.BytesIO(data))
    types = source.read("[Content_Types].xml")
    macros = (
        any(info.filename.lower().endswith("vbaproject.bin") for info in source.infolist()) or b"macroEnabled" in types
    )
    changed = types
    for other in OTHER_MAINS:
        changed = changed.replace(other.encode(), MAIN.encode())
    if changed == types:
        return data, macros
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            target.writestr(info.filename, changed if info.filename == "[Content_Types].xml" else source.read(info))
    return out.getvalue(), macros


def remove_slides(prs: Any, keep: set[int] | None = None) -> int:
    """Remove slides (all, or all but those at the 0-based positions kept) with every reference; returns how many.

    Parts that nothing refers to any more are not written on save.
    """
    listed = prs.slides._sldIdLst
    kept_ids, removed = set(), 0
    for position, entry in enumerate(list(listed)):
        if keep is not None and position in keep:
            kept_ids.add(entry.rId)
            continue
        listed.remove(entry)
        removed += 1
    for rid, rel in list(prs.part.rels.items()):
        if rel.reltype == RT.SLIDE and rid not in kept_ids:
            prs.part.rels.pop(rid)
    remaining = {entry.get("id") for entry in listed}
    _forget_slides(prs.element, remaining)
    return removed


def _forget_slides(presentation: Element, remaining: set[str]) -> None:
    """Custom shows go; sections keep only the slides that remain."""
    shows = presentation.find(qn("p:custShowLst"))
    if shows is not None:
        drop(shows)
    for ext in presentation.findall(f"{qn('p:extLst')}/{qn('p:ext')}"):
        if any(child.tag.endswith("}sectionLst") for child in ext):
            for entry in [e for e in ext.iter() if e.tag.endswith("}sldId") and e.get("id") not in remaining]:
                drop(entry)
            if not any(e.tag.endswith("}sldId") for e in ext.iter()):
                drop(ext)
    listed = presentation.find(qn("p:extLst"))
    if listed is not None and not len(listed):
        drop(listed)


def _remove_leftovers(prs: Any, macros: bool) -> None:
    """Thumbnail, statistics, comment authors and macros belong to the samples, not to the new deck."""
    package = prs.part.package
    stale = (RT.THUMBNAIL, RT.EXTENDED_PROPERTIES)
    for rid, rel in list(package._rels.items()):
        if rel.reltype in stale or rel.reltype.endswith("/metadata/thumbnail"):
            package._rels.pop(rid)
    comments = ("/commentAuthors", "/relationships/authors")
    for rid, rel in list(prs.part.rels.items()):
        if rel.reltype == VBA or rel.reltype.endswith(comments):
            prs.part.rels.pop(rid)
    if macros:
        for holder in prs.element.iter(qn("a:hlinkClick"), qn("a:hlinkHover")):
            drop(holder)


# ---- properties ------------------------------------------------------------------------------------------------------


def set_core(prs: Any, *, title: str, author: str, subject: str, language: str, stamp: datetime) -> None:
    core = prs.core_properties
    core.title, core.author, core.subject, core.language = title[:255], author[:255], subject[:255], language
    core.last_modified_by, core.revision, core.category = "Kakehashi", 1, ""
    core.created = core.modified = stamp.astimezone(UTC).replace(tzinfo=None)
    core.keywords, core.comments, core.content_status = "", "", ""


def set_custom(prs: Any, values: Mapping[str, str]) -> None:
    """Write custom document properties; the template's own stay (sensitivity labels) unless named alike."""
    package = prs.part.package
    existing = None
    for rid, rel in list(package._rels.items()):
        if rel.reltype == RT.CUSTOM_PROPERTIES:
            existing = rel.target_part.blob
            package._rels.pop(rid)
    part = Part(PackURI(properties.PART_NAME), properties.CONTENT_TYPE, package, custom_xml(values, existing))
    package.relate_to(part, RT.CUSTOM_PROPERTIES)


def identity(*parts: object) -> int:
    """A 32-bit id that is always the same for the same parts (for creationId)."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:4], "big") or 1


def save(prs: Any, out: Path, stamp: datetime) -> None:
    """Write by rename, so that a broken write never leaves half a file; same deck, same bytes."""
    buffer = io.BytesIO()
    prs.save(buffer)
    data = normalised(buffer.getvalue(), stamp=stamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_bytes(data)
    partial.replace(out)
