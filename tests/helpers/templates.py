"""Odd templates built by code: what companies really upload, each with one thing that breaks naive renderers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree
from pptx import Presentation
from pptx.opc.constants import RELATIONSHIP_TYPE as RT
from pptx.util import Pt

from apps.proposals.render.xml import drop, el, qn
from apps.proposals.templates import DEFAULT_TEMPLATE

POTX = b"presentationml.template.main+xml"
PPTX = b"presentationml.presentation.main+xml"


def save(prs: Any, path: Path) -> Path:
    prs.save(str(path))
    return path


def classic(folder: Path) -> Path:
    """4:3, empty ``a:ea``."""
    return save(Presentation(), folder / "classic.pptx")


def no_body(folder: Path) -> Path:
    """Only layouts without any body placeholder."""
    prs = Presentation()
    for layout in list(prs.slide_layouts):
        if layout.name not in ("Title Slide", "Title Only"):
            prs.slide_layouts.remove(layout)
    return save(prs, folder / "no_body.pptx")


def no_title(folder: Path) -> Path:
    """One blank layout, no placeholder at all."""
    prs = Presentation()
    for layout in list(prs.slide_layouts):
        if layout.name != "Blank":
            prs.slide_layouts.remove(layout)
    return save(prs, folder / "no_title.pptx")


def german(folder: Path) -> Path:
    """Layout names that say nothing to a program that looks for 'Title', in shuffled order."""
    prs = Presentation()
    for number, layout in enumerate(prs.slide_layouts):
        layout.element.cSld.set("name", f"Folie {'abcdefghijk'[number]} – Überschrift")
        layout.element.attrib.pop("type", None)
    ids = prs.slide_master.element.find(qn("p:sldLayoutIdLst"))
    for entry in reversed(list(ids)):
        ids.append(entry)
    return save(prs, folder / "german.pptx")


def sampled(folder: Path) -> Path:
    """Three sample slides, one with a chart, one with notes, a custom show, and old document statistics."""
    prs = Presentation(str(DEFAULT_TEMPLATE))
    for number in range(3):
        slide = prs.slides.add_slide(prs.slide_layouts[1])
        slide.shapes.title.text = f"見本 {number}"
    slide.notes_slide.notes_text_frame.text = "見本のノート"
    rid = prs.slides._sldIdLst[0].rId
    show = el("p:custShow", el("p:sldLst", el("p:sld", r__id=rid)), name="見本", id="0")
    prs.element.find(qn("p:notesSz")).addnext(el("p:custShowLst", show))
    return save(prs, folder / "sampled.pptx")


def dark(folder: Path) -> Path:
    """Dark background through the colour map: bg1 is the dark colour."""
    prs = Presentation()
    colors = prs.slide_master.element.find(qn("p:clrMap"))
    for name, value in {"bg1": "dk1", "tx1": "lt1", "bg2": "dk2", "tx2": "lt2"}.items():
        colors.set(name, value)
    return save(prs, folder / "dark.pptx")


def logo(folder: Path) -> Path:
    """A logo box that reaches into the title's and the body's corner on every layout."""
    prs = Presentation(str(DEFAULT_TEMPLATE))
    tree = prs.slide_master.shapes._spTree
    place = el("a:xfrm", el("a:off", x=Pt(800), y=Pt(20)), el("a:ext", cx=Pt(140), cy=Pt(120)))
    fill = el("a:solidFill", el("a:schemeClr", val="accent5"))
    head = el("p:nvSpPr", el("p:cNvPr", id=99, name="Logo"), el("p:cNvSpPr"), el("p:nvPr", userDrawn=1))
    tree.append(el("p:sp", head, el("p:spPr", place, el("a:prstGeom", el("a:avLst"), prst="rect"), fill)))
    return save(prs, folder / "logo.pptx")


def fonts(folder: Path) -> Path:
    """A Latin theme whose own Japanese choice stands in the script list, as Office writes it."""
    prs = Presentation()
    part = prs.slide_master.part.part_related_by(RT.THEME)
    root = etree.fromstring(part.blob)
    for kind in ("majorFont", "minorFont"):
        holder = root.find(f".//{qn('a:' + kind)}")
        for font in holder.findall(qn("a:font")):
            drop(font)
        holder.append(el("a:font", script="Jpan", typeface="游ゴシック"))
    part._blob = etree.tostring(root)
    return save(prs, folder / "fonts.pptx")


def repacked(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A copy of a package with its parts changed; a part that becomes empty is left out."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as after:
        for info in before.infolist():
            content = change(info.filename, before.read(info))
            if content:
                after.writestr(info.filename, content)
    return target


def potx(folder: Path) -> Path:
    """A template file proper (.potx), which python-pptx refuses to open."""
    return repacked(
        DEFAULT_TEMPLATE,
        folder / "brand.potx",
        lambda name, data: data.replace(PPTX, POTX) if name == "[Content_Types].xml" else data,
    )


def macros(folder: Path) -> Path:
    """A .pptm with a macro project that its presentation refers to."""
    prs = Presentation(str(DEFAULT_TEMPLATE))
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI

    kind = "application/vnd.ms-office.vbaProject"
    part = Part(PackURI("/ppt/vbaProject.bin"), kind, prs.part.package, b"macro")
    prs.part.relate_to(part, "http://schemas.microsoft.com/office/2006/relationships/vbaProject")
    plain = save(prs, folder / "plain.pptx")
    macro = b"application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml"
    old = b"application/vnd.openxmlformats-officedocument." + PPTX
    return repacked(
        plain,
        folder / "macros.pptm",
        lambda name, data: data.replace(old, macro) if name == "[Content_Types].xml" else data,
    )


def no_layouts(folder: Path) -> Path:
    prs = Presentation()
    for layout in list(prs.slide_layouts):
        prs.slide_layouts.remove(layout)
    return save(prs, folder / "no_layouts.pptx")


USABLE = (classic, no_body, no_title, german, sampled, dark, logo, fonts, potx, macros)


def entries(path: Path) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return archive.namelist()
