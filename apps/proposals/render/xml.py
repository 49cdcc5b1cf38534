"""Small helpers to build DrawingML elements. XML is never built from strings."""

from __future__ import annotations

from typing import Any

from lxml import etree
from pptx.oxml.ns import qn
from pptx.oxml.xmlchemy import OxmlElement

Element = Any  # lxml elements of python-pptx's custom classes

P14 = "http://schemas.microsoft.com/office/powerpoint/2010/main"
A16 = "http://schemas.microsoft.com/office/drawing/2014/main"
DECORATIVE = "http://schemas.microsoft.com/office/drawing/2017/decorative"

__all__ = ["A16", "DECORATIVE", "P14", "Element", "add_extension", "drop", "el", "foreign", "qn", "sub"]


def el(tag: str, *children: Element | None, text: str | None = None, **attributes: Any) -> Element:
    """An element in one of python-pptx's name spaces; children that are None are left out."""
    made = OxmlElement(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(qn(name.replace("__", ":")) if "__" in name else name, str(value))
    if text is not None:
        made.text = text
    for child in children:
        if child is not None:
            made.append(child)
    return made


def sub(parent: Element, tag: str, **attributes: Any) -> Element:
    child = el(tag, **attributes)
    parent.append(child)
    return child


def drop(element: Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def add_extension(owner: Element, uri: str, content: Element, prefix: str = "a") -> None:
    """Put ``content`` into the ``extLst`` at the end of ``owner`` (``p:`` for parts of a slide, ``a:`` for drawing)."""
    listed = owner.find(qn(f"{prefix}:extLst"))
    if listed is None:
        listed = sub(owner, f"{prefix}:extLst")
    sub(listed, f"{prefix}:ext", uri=uri).append(content)


def foreign(namespace: str, prefix: str, name: str, **attributes: object) -> Element:
    """An element outside python-pptx's name spaces."""
    return etree.Element(
        f"{{{namespace}}}{name}", {k: str(v) for k, v in attributes.items()}, nsmap={prefix: namespace}
    )
