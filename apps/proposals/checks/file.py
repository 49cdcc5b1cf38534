"""The file gate: a valid package that PowerPoint opens without repair, with no part left over or missing."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from apps.proposals.model import Finding
from apps.proposals.render.words import Language

CONTENT_TYPES = "[Content_Types].xml"
REL = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
SLIDE_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/slide"
RID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

MESSAGES = {
    "file.invalid": ("形式の誤りがあります：{0}", "Format error: {0}"),
    "file.orphan_part": ("どこからも参照されない部品があります：{0}", "Part that nothing refers to: {0}"),
    "file.missing_part": ("参照先の部品がありません：{0}", "Missing part: {0}"),
    "file.unlisted_slide": ("一覧にないスライドがあります：{0}", "Slide that is not in the list: {0}"),
    "file.untyped_part": ("種類の分からない部品があります：{0}", "Part without a content type: {0}"),
    "file.duplicate": ("同じ名前の部品が複数あります：{0}", "Several parts of one name: {0}"),
    "file.dangling_id": ("参照番号の先がありません：{0}", "Reference without a relationship: {0}"),
}


def check_file(path: Path, *, baseline: set[str] | None = None, language: Language = "ja") -> list[Finding]:
    """Findings of the file gate; format errors that the template already had (``baseline``) are not counted."""
    found = [_told(rule, language, what) for rule, what in part_graph(path)]
    known = baseline or set()
    return found + [_told("file.invalid", language, e) for e in sorted(file_errors(path) - known)]


def _told(rule: str, language: Language, what: str) -> Finding:
    message = MESSAGES[rule][0 if language == "ja" else 1].format(what)
    return Finding(slide="", rule=rule, severity="stop", message=message)


def file_errors(path: Path) -> set[str]:
    """Format errors by openxml-audit, as ``part: message`` without positions, so that files can be compared."""
    from openxml_audit import validate_pptx

    result = validate_pptx(str(path))
    return {f"{error.part_uri}: {error.description}" for error in result.errors}


# ---- part graph ------------------------------------------------------------------------------------------------------


def part_graph(path: Path) -> Iterator[tuple[str, str]]:
    """(rule, part) for every fault of the package's parts and relationships."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield "file.duplicate", name
        parts = {n for n in names if not n.endswith("/") and n != CONTENT_TYPES and "/_rels/" not in f"/{n}"}
        links = {n: relationships(archive, n) for n in ["", *parts]}
        yield from _unreachable(parts, links)
        yield from _untyped(archive, parts)
        yield from _slides(archive, links)
        yield from _dangling(archive, parts, links)


Links = dict[str, tuple[str, str]]  # rId → (type, target part; empty when external)


def relationships(archive: zipfile.ZipFile, part: str) -> Links:
    folder, _, name = part.rpartition("/")
    rels = f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels"
    if rels not in archive.namelist():
        return {}
    found: Links = {}
    for rel in etree.fromstring(archive.read(rels)).iter(REL):
        external = rel.get("TargetMode") == "External"
        target = "" if external else posixpath.normpath(posixpath.join("/" + folder, rel.get("Target"))).lstrip("/")
        found[rel.get("Id")] = (rel.get("Type"), target)
    return found


def _unreachable(parts: set[str], links: dict[str, Links]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    queue = [""]
    while queue:
        for _, target in links.get(queue.pop(), {}).values():
            if target and target not in seen:
                seen.add(target)
                queue.append(target)
    for name in sorted(parts - seen):
        yield "file.orphan_part", name
    for name in sorted(seen - parts):
        yield "file.missing_part", name


def _untyped(archive: zipfile.ZipFile, parts: set[str]) -> Iterator[tuple[str, str]]:
    root = etree.fromstring(archive.read(CONTENT_TYPES))
    defaults = {(e.get("Extension") or "").lower() for e in root if e.tag.endswith("}Default")}
    overrides = {(e.get("PartName") or "").lstrip("/") for e in root if e.tag.endswith("}Override")}
    for name in sorted(parts):
        if name not in overrides and name.rpartition(".")[2].lower() not in defaults:
            yield "file.untyped_part", name


def _slides(archive: zipfile.ZipFile, links: dict[str, Links]) -> Iterator[tuple[str, str]]:
    main = next((target for kind, target in links[""].values() if kind.endswith("/officeDocument")), "")
    if not main:
        yield "file.missing_part", "officeDocument"
        return
    root = etree.fromstring(archive.read(main))
    listed = {e.get(RID) for e in root.iter() if e.tag.endswith("}sldId") and e.get(RID)}
    for rid, (kind, target) in links[main].items():
        if kind == SLIDE_TYPE and rid not in listed:
            yield "file.unlisted_slide", target
    for rid in sorted(listed - set(links[main])):
        yield "file.dangling_id", f"{main} {rid}"


def _dangling(archive: zipfile.ZipFile, parts: set[str], links: dict[str, Links]) -> Iterator[tuple[str, str]]:
    """``r:id``, ``r:embed`` … that name no relationship of their part."""
    space = RID[: RID.index("}") + 1]
    for name in sorted(p for p in parts if p.endswith(".xml") and p.startswith("ppt/")):
        for element in etree.fromstring(archive.read(name)).iter():
            for key, value in element.attrib.items():
                if str(key).startswith(space) and value and value not in links[name]:
                    yield "file.dangling_id", f"{name} {value}"
