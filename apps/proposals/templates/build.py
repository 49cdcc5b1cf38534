"""Build ``default.pptx``: a restrained 16:9 template with theme colours, Japanese theme fonts and five layouts.

Run ``python -m apps.proposals.templates.build`` after a change; a test compares the result with the committed file.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml import etree
from pptx import Presentation
from pptx.opc.constants import RELATIONSHIP_TYPE as RT
from pptx.util import Pt

from apps.proposals.render.archive import normalised
from apps.proposals.render.geometry import Box, emu
from apps.proposals.render.xml import Element, drop, el, qn
from apps.proposals.templates import DEFAULT_TEMPLATE

WIDTH, HEIGHT = 960, 540
FACE = "BIZ UDPGothic"
COLORS = {
    "dk1": "1F2A37",
    "lt1": "FFFFFF",
    "dk2": "12305A",
    "lt2": "F1F5FA",
    "accent1": "1D6FB8",
    "accent2": "128277",
    "accent3": "C7861A",
    "accent4": "66788F",
    "accent5": "B5473A",
    "accent6": "75599E",
    "hlink": "1D6FB8",
    "folHlink": "66788F",
}

TITLE = Box(48, 40, 864, 62)
KICKER = Box(48, 18, 600, 20)
BODY = Box(48, 124, 864, 352)
FOOTER, DATE, NUMBER = Box(48, 508, 560, 20), Box(620, 508, 200, 20), Box(852, 508, 60, 20)
KICKER_INDEX = 13


def shape_properties(box: Box | None, *more: Element | None) -> Element:
    if box is None:
        return el("p:spPr", *more)
    place = el("a:xfrm", el("a:off", x=emu(box.x), y=emu(box.y)), el("a:ext", cx=emu(box.w), cy=emu(box.h)))
    return el("p:spPr", place, *more)


def names(number: int, name: str) -> Element:
    return el("p:cNvPr", id=number, name=name)


def placeholder(
    number: int,
    name: str,
    kind: str | None,
    box: Box | None,
    *,
    index: int | None = None,
    prompt: Sequence[str] = (),
    body: Element | None = None,
    style: Element | None = None,
    size: str | None = None,
    field: str | None = None,
) -> Element:
    """A placeholder shape; ``field`` makes its text a slide number or date."""
    ph = el("p:ph", type=kind, idx=index, sz=size)
    head = el("p:nvSpPr", names(number, name), el("p:cNvSpPr", el("a:spLocks", noGrp=1)), el("p:nvPr", ph))
    paragraphs = [
        el("a:p", el("a:pPr", lvl=level or None), el("a:r", el("a:rPr", lang="ja-JP"), el("a:t", text=line)))
        for level, line in enumerate(prompt)
    ]
    if field:
        guid = "{6B1B8F3B-8F0C-4A55-9C6E-2E2D6B0A7C11}"
        paragraphs = [el("a:p", el("a:fld", el("a:rPr", lang="ja-JP"), el("a:t", text="‹#›"), id=guid, type=field))]
    text = el(
        "p:txBody",
        body if body is not None else el("a:bodyPr"),
        style if style is not None else el("a:lstStyle"),
        *(paragraphs or [el("a:p", el("a:endParaRPr", lang="ja-JP"))]),
    )
    return el("p:sp", head, shape_properties(box), text)


def solid(token: str, **changes: int) -> Element:
    return el("a:solidFill", el("a:schemeClr", *(el(f"a:{k}", val=v) for k, v in changes.items()), val=token))


def decoration(
    number: int, name: str, box: Box, fill: Element, *, form: str = "rect", adjust: dict[str, int] | None = None
) -> Element:
    guides = [el("a:gd", name=key, fmla=f"val {value}") for key, value in (adjust or {}).items()]
    geometry = el("a:prstGeom", el("a:avLst", *guides), prst=form)
    head = el("p:nvSpPr", names(number, name), el("p:cNvSpPr"), el("p:nvPr", userDrawn=1))
    text = el("p:txBody", el("a:bodyPr"), el("a:lstStyle"), el("a:p", el("a:endParaRPr", lang="ja-JP")))
    return el("p:sp", head, shape_properties(box, geometry, fill, el("a:ln", el("a:noFill"))), text)


def level(
    number: int,
    size: float,
    *,
    color: str,
    left: float = 0,
    hang: float = 0,
    bullet: str = "",
    bold: bool = False,
    before: float = 0,
    major: bool = False,
    align: str = "l",
) -> Element:
    kind = "mj" if major else "mn"
    run = el(
        "a:defRPr",
        solid(color),
        el("a:latin", typeface=f"+{kind}-lt"),
        el("a:ea", typeface=f"+{kind}-ea"),
        el("a:cs", typeface=f"+{kind}-cs"),
        sz=round(size * 100),
        b=int(bold),
        kern=1200,
    )
    marks = [
        el("a:buClr", el("a:schemeClr", val="accent1")),
        el("a:buFont", typeface="Arial"),
        el("a:buChar", char=bullet),
    ]
    return el(
        f"a:lvl{number}pPr",
        el("a:lnSpc", el("a:spcPct", val=113000)),
        el("a:spcBef", el("a:spcPts", val=round(before * 100))),
        *(marks if bullet else [el("a:buNone")]),
        run,
        marL=emu(left),
        indent=emu(-hang),
        algn=align,
        defTabSz=914400,
        eaLnBrk=1,
        latinLnBrk=0,
        hangingPunct=1,
    )


def text_styles() -> Element:
    bullets, sizes = "■–•–•", (18, 16, 14, 14, 14)
    body = [
        level(n + 1, sizes[n], color="tx1", left=18 + 18 * n, hang=16, bullet=bullets[n], before=10 if n == 0 else 4)
        for n in range(5)
    ]
    return el(
        "p:txStyles",
        el("p:titleStyle", level(1, 24, color="tx2", bold=True, major=True)),
        el("p:bodyStyle", *body),
        el("p:otherStyle", el("a:defPPr", el("a:defRPr", lang="ja-JP")), level(1, 14, color="tx1")),
    )


def body_properties(anchor: str = "t", **insets: float) -> Element:
    given = {"l": 0.0, "t": 0.0, "r": 0.0, "b": 0.0} | insets
    sides: dict[str, Any] = {f"{side}Ins": emu(value) for side, value in given.items()}
    return el("a:bodyPr", el("a:normAutofit"), vert="horz", wrap="square", anchor=anchor, **sides)


def small(size: float, color: str, align: str, *, bold: bool = False) -> Element:
    return el("a:lstStyle", level(1, size, color=color, bold=bold, align=align))


def footers(first: int) -> list[Element]:
    inset = body_properties("ctr")
    return [
        placeholder(first, "日付", "dt", DATE, index=10, size="half", body=inset, style=small(9, "accent4", "r")),
        placeholder(
            first + 1,
            "フッター",
            "ftr",
            FOOTER,
            index=11,
            size="quarter",
            body=body_properties("ctr"),
            style=small(9, "accent4", "l"),
        ),
        placeholder(
            first + 2,
            "スライド番号",
            "sldNum",
            NUMBER,
            index=12,
            size="quarter",
            field="slidenum",
            body=body_properties("ctr"),
            style=small(10, "tx2", "r", bold=True),
        ),
    ]


def frame_lines(first: int) -> list[Element]:
    return [
        decoration(first, "上の帯", Box(0, 0, WIDTH, 8), solid("tx2")),
        decoration(first + 1, "上の帯のアクセント", Box(0, 0, 48, 8), solid("accent1")),
        decoration(first + 2, "見出しの線", Box(48, 110, 864, 0.75), solid("bg1", lumMod=85000)),
        decoration(first + 3, "見出しのアクセント", Box(48, 109, 48, 2.5), solid("accent1")),
    ]


def kicker(number: int) -> Element:
    return placeholder(
        number,
        "区分",
        "body",
        KICKER,
        index=KICKER_INDEX,
        size="quarter",
        prompt=["区分"],
        body=body_properties("ctr"),
        style=small(12, "accent1", "l", bold=True),
    )


def title(number: int, box: Box | None = None, **options: object) -> Element:
    return placeholder(number, "タイトル", "title", box, prompt=["メッセージを一文で"], **options)  # type: ignore[arg-type]


def layout_text() -> list[Element]:
    lines = ["本文", "第2レベル", "第3レベル"]
    return [title(2), kicker(3), placeholder(4, "本文", None, BODY, index=1, prompt=lines), *footers(5)]


def layout_title_only() -> list[Element]:
    return [title(2), kicker(3), *footers(4)]


def layout_two() -> list[Element]:
    left, right = BODY.columns([1, 1], 24)
    return [
        title(2),
        kicker(3),
        placeholder(4, "左の本文", None, left, index=1, size="half", prompt=["本文"]),
        placeholder(5, "右の本文", None, right, index=2, size="half", prompt=["本文"]),
        *footers(6),
    ]


def layout_cover() -> list[Element]:
    navy = Box(640, 0, 320, HEIGHT)
    arch = {"adj1": 10800000, "adj2": 0, "adj3": 9000}
    name = el("a:lstStyle", level(1, 32, color="tx2", bold=True, major=True))
    return [
        decoration(2, "右の面", navy, solid("tx2")),
        decoration(
            3, "橋 外", Box(584, 270, 432, 432), solid("accent1"), form="blockArc", adjust=arch | {"adj3": 5000}
        ),
        decoration(
            4,
            "橋 中",
            Box(636, 322, 328, 328),
            solid("accent1", lumMod=60000, lumOff=40000),
            form="blockArc",
            adjust=arch | {"adj3": 3600},
        ),
        decoration(5, "橋 内", Box(688, 374, 224, 224), solid("bg1"), form="blockArc", adjust=arch | {"adj3": 2600}),
        decoration(6, "左の面", Box(0, 0, 640, HEIGHT), solid("bg1")),
        decoration(7, "アクセント", Box(56, 300, 64, 4), solid("accent1")),
        placeholder(
            8,
            "タイトル",
            "ctrTitle",
            Box(56, 136, 536, 150),
            prompt=["提案書の題名"],
            body=body_properties("b"),
            style=name,
        ),
        placeholder(
            9,
            "サブタイトル",
            "subTitle",
            Box(56, 318, 536, 60),
            index=1,
            prompt=["副題"],
            body=body_properties("t"),
            style=small(16, "accent4", "l"),
        ),
        placeholder(
            10,
            "宛名",
            "body",
            Box(56, 64, 536, 44),
            index=14,
            size="quarter",
            prompt=["株式会社○○ 御中"],
            body=body_properties("t"),
            style=small(18, "tx1", "l", bold=True),
        ),
        placeholder(
            11,
            "作成者と日付",
            "body",
            Box(56, 436, 536, 52),
            index=15,
            size="quarter",
            prompt=["作成者", "日付"],
            body=body_properties("b"),
            style=small(14, "tx1", "l"),
        ),
    ]


def layout_section() -> list[Element]:
    style = el("a:lstStyle", level(1, 30, color="tx1", bold=True, major=True))
    return [
        decoration(2, "アクセント", Box(72, 214, 64, 4), solid("accent1", lumMod=60000, lumOff=40000)),
        title(3, Box(72, 228, 816, 90), style=style),
        placeholder(
            4,
            "説明",
            "body",
            Box(72, 322, 816, 60),
            index=1,
            prompt=["説明"],
            body=body_properties("t"),
            style=small(16, "tx1", "l"),
        ),
    ]


LAYOUTS = [
    ("表紙", "title", layout_cover),
    ("見出しと本文", "obj", layout_text),
    ("見出しのみ", "titleOnly", layout_title_only),
    ("2段組み", "twoObj", layout_two),
    ("章の扉", "secHead", layout_section),
]


def replace_shapes(root: Element, shapes: list[Element]) -> None:
    tree = root.find(f"{qn('p:cSld')}/{qn('p:spTree')}")
    for old in list(tree)[2:]:
        tree.remove(old)
    tree.extend(shapes)


def set_theme(root: Element) -> None:
    root.set("name", "Kakehashi")
    scheme = root.find(".//" + qn("a:clrScheme"))
    scheme.set("name", "Kakehashi")
    for entry in scheme:
        for old in list(entry):
            entry.remove(old)
        entry.append(el("a:srgbClr", val=COLORS[entry.tag.partition("}")[2]]))
    fonts = root.find(".//" + qn("a:fontScheme"))
    fonts.set("name", "Kakehashi")
    for kind in fonts:
        for old in kind.findall(qn("a:font")):
            kind.remove(old)
        for tag in ("a:latin", "a:ea"):
            kind.find(qn(tag)).set("typeface", FACE)


def set_master(root: Element) -> None:
    body = placeholder(
        3, "本文", "body", BODY, index=1, prompt=["本文", "第2レベル", "第3レベル"], body=body_properties()
    )
    heading = placeholder(2, "タイトル", "title", TITLE, prompt=["メッセージを一文で"], body=body_properties())
    replace_shapes(root, [*frame_lines(20), heading, body, *footers(4)])
    old = root.find(qn("p:txStyles"))
    old.getparent().replace(old, text_styles())
    tree = root.find(f"{qn('p:cSld')}")
    back = tree.find(qn("p:bg"))
    if back is not None:
        tree.remove(back)
    tree.insert(0, el("p:bg", el("p:bgPr", solid("bg1"), el("a:effectLst"))))


def set_layout(root: Element, name: str, kind: str, shapes: list[Element]) -> None:
    replace_shapes(root, shapes)
    root.set("type", kind)
    root.find(qn("p:cSld")).set("name", name)
    if kind in ("title", "secHead"):
        root.set("showMasterSp", "0")
    if kind == "secHead":
        drop(root.find(f"{qn('p:clrMapOvr')}/{qn('a:masterClrMapping')}"))
        swapped = {"bg1": "dk2", "tx1": "lt1", "bg2": "dk1", "tx2": "lt2"}
        same = {name: name for name in [*(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink"]}
        root.find(qn("p:clrMapOvr")).append(el("a:overrideClrMapping", **swapped, **same))
        root.find(qn("p:cSld")).insert(0, el("p:bg", el("p:bgPr", solid("bg1"), el("a:effectLst"))))


def build() -> bytes:
    """The template as a .pptx file, the same bytes each time."""
    prs = Presentation()
    prs.slide_width, prs.slide_height = Pt(WIDTH), Pt(HEIGHT)
    prs.element.find(qn("p:sldSz")).attrib.pop("type", None)
    master = prs.slide_masters[0]
    for layout in list(prs.slide_layouts)[len(LAYOUTS) :]:
        prs.slide_layouts.remove(layout)
    theme = master.part.part_related_by(RT.THEME)
    root = etree.fromstring(theme.blob)
    set_theme(root)
    theme._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    set_master(master.element)
    for layout, (name, kind, shapes) in zip(prs.slide_layouts, LAYOUTS, strict=True):
        set_layout(layout.element, name, kind, shapes())
    prs.core_properties.title, prs.core_properties.author = "Kakehashi", "Kakehashi"
    buffer = io.BytesIO()
    prs.save(buffer)
    return normalised(buffer.getvalue())


def main(path: Path = DEFAULT_TEMPLATE) -> None:
    path.write_bytes(build())


if __name__ == "__main__":
    main()
