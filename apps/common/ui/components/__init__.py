"""Browser components (Streamlit components v2): upload and recording, the audio bar, lines that play when clicked.

User text reaches the page through ``textContent`` only. The scripts lie beside this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from apps.common.i18n import Texts

_HERE = Path(__file__).parent


@cache
def _component(name: str) -> ComponentRenderer:
    css, js = ((_HERE / f"{name}.{kind}").read_text() for kind in ("css", "js"))
    return st.components.v2.component(f"kakehashi_{name}", html='<div class="mount"></div>', css=css, js=js)


def drop(
    t: Texts,
    key: str,
    *,
    label: str,
    hint: str,
    purpose: str,
    accept: Sequence[str],
    multiple: bool = False,
    record: bool = False,
    compact: bool = False,
) -> list[dict[str, Any]]:
    """A place to drop files (or record one). Gives the complete uploads: ``id``, ``name``, ``size``."""
    state = st.session_state.get(key) or {}
    files: list[dict[str, Any]] = state.get("files") or []
    result = _component("drop")(
        key=key,
        data={
            "label": label,
            "hint": hint,
            "purpose": purpose,
            "accept": ",".join(accept),
            "multiple": multiple,
            "record": record,
            "compact": compact,
            "language": t.language,
            "files": files,
            "texts": t.group("drop"),
        },
        default={"files": files},
        on_files_change=_nothing,
    )
    found: list[dict[str, Any]] = result.files or []
    return found


def player(t: Texts, key: str, *, src: str, duration: float, lines: list[dict[str, Any]]) -> None:
    """The audio bar at the foot of the page. ``src`` is relative to the page."""
    _component("player")(key=key, data={"src": src, "duration": duration, "lines": lines, "texts": t.group("player")})


def transcript(t: Texts, key: str, *, lines: list[dict[str, Any]], speakers: list[str]) -> dict[str, Any] | None:
    """The whole transcript, to read, hear, search and edit. Gives an edit just made: ``id``, ``text``, ``speaker``."""
    data = {"editable": True, "lines": lines, "speakers": speakers, "texts": t.group("lines")}
    result = _component("lines")(key=key, data=data, on_edit_change=_nothing)
    edit: dict[str, Any] | None = result.edit
    return edit


def evidence(t: Texts, key: str, *, lines: list[dict[str, Any]]) -> None:
    """The lines that an item rests on; click one to hear it."""
    _component("lines")(key=key, data={"editable": False, "lines": lines, "speakers": [], "texts": t.group("lines")})


def _nothing() -> None:
    """Streamlit wants a callback for each value a component may send."""
