"""Office files as zip archives: written so that the same content gives the same bytes."""

from __future__ import annotations

import io
import re
import zipfile

EPOCH = (2000, 1, 1, 0, 0, 0)
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:)")


def normalised(data: bytes, *, stamp: str = "2000-01-01T00:00:00Z", level: int = 6) -> bytes:
    """Fixed entry times, nested workbooks too; ``stamp`` replaces the dates in ``docProps/core.xml``."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.endswith(".xlsx"):
                content = normalised(content, stamp=stamp, level=level)
            elif info.filename == "docProps/core.xml":
                content = _STAMP.sub(rb"\g<1>" + stamp.encode() + rb"\g<3>", content)
            entry = zipfile.ZipInfo(info.filename, EPOCH)
            entry.external_attr = 0o600 << 16
            target.writestr(entry, content, zipfile.ZIP_DEFLATED, level)
    return out.getvalue()
