"""The default template: built by code (``python -m apps.proposals.templates.build``), committed as ``default.pptx``."""

from __future__ import annotations

from pathlib import Path

DEFAULT_TEMPLATE = Path(__file__).with_name("default.pptx")
