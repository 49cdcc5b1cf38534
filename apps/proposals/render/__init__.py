"""Render a typed deck into an editable .pptx, on any template, without a model."""

from __future__ import annotations

from apps.proposals.render.deck import PageInfo, RenderResult, render
from apps.proposals.render.mapping import TemplateMapping, load_mapping
from apps.proposals.render.preview import preview, slide_png
from apps.proposals.render.report import TemplateReport, check_template

__all__ = [
    "PageInfo",
    "RenderResult",
    "TemplateMapping",
    "TemplateReport",
    "check_template",
    "load_mapping",
    "preview",
    "render",
    "slide_png",
]
