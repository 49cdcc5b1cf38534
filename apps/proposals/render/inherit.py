"""What a text really looks like: properties of runs and shapes resolved through layout, master and theme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.proposals.render.xml import Element, qn

TITLE_TYPES = ("title", "ctrTitle")
# Which master placeholder a layout placeholder inherits from, by type.
PARENT_TYPE = {
    "ctrTitle": "title",
    "subTitle": "body",
    "obj": "body",
    "chart": "body",
    "tbl": "body",
    "pic": "body",
    "clipArt": "body",
    "dgm": "body",
    "media": "body",
}


def placeholder(shape: Element) -> Element | None:
    """The ``p:ph`` of a shape element, or None."""
    return shape.find(f"./*/{qn('p:nvPr')}/{qn('p:ph')}")


def ph_type(ph: Element) -> str:
    return ph.get("type") or "obj"


def ph_index(ph: Element) -> int:
    return int(ph.get("idx") or 0)


def _shapes(root: Element) -> Iterator[Element]:
    tree = root.find(f"{qn('p:cSld')}/{qn('p:spTree')}")
    for shape in tree if tree is not None else ():
        if placeholder(shape) is not None:
            yield shape


def layout_twin(ph: Element, layout: Element) -> Element | None:
    """The layout's placeholder a slide's placeholder inherits from: same idx, else same type."""
    listed = list(_shapes(layout))
    for shape in listed:
        other = placeholder(shape)
        if ph_index(other) == ph_index(ph) and _family(ph_type(other)) == _family(ph_type(ph)):
            return shape
    if ph_index(ph):
        return next((s for s in listed if ph_index(placeholder(s)) == ph_index(ph)), None)
    return next((s for s in listed if _family(ph_type(placeholder(s))) == _family(ph_type(ph))), None)


def _family(kind: str) -> str:
    return PARENT_TYPE.get(kind, kind)


def master_twin(ph: Element, master: Element) -> Element | None:
    wanted = _family(ph_type(ph))
    return next((s for s in _shapes(master) if _family(ph_type(placeholder(s))) == wanted), None)


def ancestry(shape: Element, layout: Element | None, master: Element | None) -> list[Element]:
    """The shape, then the placeholders it inherits from."""
    chain, ph = [shape], placeholder(shape)
    if ph is None:
        return chain
    if layout is not None and (twin := layout_twin(ph, layout)) is not None and twin is not shape:
        chain.append(twin)
        ph = placeholder(twin)
    if master is not None and (twin := master_twin(ph, master)) is not None and twin is not shape:
        chain.append(twin)
    return chain


def transform(chain: list[Element]) -> Element | None:
    """The first ``a:xfrm`` with a position along the inheritance."""
    for shape in chain:
        for tag in ("p:spPr", "p:grpSpPr"):
            found = shape.find(f"{qn(tag)}/{qn('a:xfrm')}")
            if found is not None and found.find(qn("a:off")) is not None:
                return found
        found = shape.find(qn("p:xfrm"))
        if found is not None and found.find(qn("a:off")) is not None:
            return found
    return None


def body_property(chain: list[Element], name: str) -> str | None:
    """An attribute of ``a:bodyPr`` (insets, anchor, wrap, vert)."""
    for shape in chain:
        body = shape.find(f"{qn('p:txBody')}/{qn('a:bodyPr')}")
        if body is not None and body.get(name) is not None:
            return str(body.get(name))
    return None


def list_styles(
    chain: list[Element], master: Element | None, level: int, *, otherwise: str = "otherStyle"
) -> Iterator[Element]:
    """``a:lvlNpPr`` elements that apply to a level, nearest first."""
    tag = qn(f"a:lvl{level + 1}pPr")
    for shape in chain:
        style = shape.find(f"{qn('p:txBody')}/{qn('a:lstStyle')}/{tag}")
        if style is not None:
            yield style
    if master is None:
        return
    ph = placeholder(chain[-1]) if chain else None
    kind = _family(ph_type(ph)) if ph is not None else None
    name = "titleStyle" if kind == "title" else "bodyStyle" if kind == "body" else otherwise
    style = master.find(f"{qn('p:txStyles')}/{qn('p:' + name)}/{tag}")
    if style is not None:
        yield style


def run_value(styles: list[Element], run: Element | None, getter: Any) -> Any:
    """The first non-None ``getter(rPr)`` over the run's own properties and the list styles' ``a:defRPr``."""
    for holder in ([run] if run is not None else []) + [s.find(qn("a:defRPr")) for s in styles]:
        if holder is not None and (value := getter(holder)) is not None:
            return value
    return None


def size_of(properties: Element) -> float | None:
    return int(properties.get("sz")) / 100 if properties.get("sz") else None


def bold_of(properties: Element) -> bool | None:
    return None if properties.get("b") is None else properties.get("b") in ("1", "true")


def latin_of(properties: Element) -> str | None:
    found = properties.find(qn("a:latin"))
    return None if found is None else found.get("typeface") or None


def wide_of(properties: Element) -> str | None:
    found = properties.find(qn("a:ea"))
    return None if found is None else found.get("typeface") or None


def fill_of(properties: Element) -> Element | None:
    """The colour element (schemeClr, srgbClr …) inside ``a:solidFill``."""
    found = properties.find(qn("a:solidFill"))
    return found[0] if found is not None and len(found) else None
