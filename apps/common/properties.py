"""Document properties that tell an Office file's origin: ``docProps/custom.xml`` (ECMA-376 part 1, 22.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
PART_NAME = "/docProps/custom.xml"
NAMESPACE = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
VALUE_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
FORMAT_ID = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LIMIT = 255  # characters that Word and PowerPoint show of a text property


def xml_safe(text: str) -> str:
    """The text without what XML 1.0 forbids (control characters, lone surrogates, U+FFFE, U+FFFF)."""
    return _FORBIDDEN.sub("", text)


def provenance(meta: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as ``kakehashi.*`` text properties; long values are cut into numbered ones."""
    out: dict[str, str] = {}
    for key, value in meta.items():
        if value in (None, "", [], {}):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        if isinstance(value, list | tuple) and all(isinstance(item, str | int | float) for item in value):
            text = ", ".join(str(item) for item in value)
        pieces = [text[i : i + LIMIT] for i in range(0, len(text), LIMIT)]
        for number, piece in enumerate(pieces, 1):
            out[f"kakehashi.{key}" + (f".{number}" if len(pieces) > 1 else "")] = piece
    return out


def custom_xml(values: Mapping[str, str], existing: bytes | None = None) -> bytes:
    """The part's XML; properties already there (sensitivity labels) stay, ours replace their namesakes."""
    root = etree.Element(f"{{{NAMESPACE}}}Properties", nsmap={None: NAMESPACE, "vt": VALUE_TYPES})
    if existing:
        root.extend(p for p in etree.fromstring(existing) if p.get("name") not in values)
    for name, value in values.items():
        entry = etree.SubElement(root, f"{{{NAMESPACE}}}property", name=name)
        etree.SubElement(entry, f"{{{VALUE_TYPES}}}lpwstr").text = xml_safe(value)
    for number, entry in enumerate(root):
        entry.set("fmtid", entry.get("fmtid") or FORMAT_ID)
        entry.set("pid", str(number + 2))
    raw: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return raw
