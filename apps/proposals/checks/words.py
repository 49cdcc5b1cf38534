"""What the checks say, Japanese and English, by rule."""

from __future__ import annotations

from typing import Literal

from apps.proposals.model import Finding
from apps.proposals.render.words import Language, say

Severity = Literal["stop", "warn", "info"]

RULES: dict[str, tuple[str, str]] = {
    "look.overflow": (
        "「{0}」の文字が枠からはみ出します（枠の{1}％）。",
        "“{0}”: text does not fit its box ({1} % of it).",
    ),
    "look.overlap": ("「{0}」と「{1}」が重なっています。", "“{0}” and “{1}” overlap."),
    "look.off_slide": ("「{0}」がスライドの外に出ています。", "“{0}” lies outside the slide."),
    "look.margin": ("「{0}」がスライドの端に近すぎます。", "“{0}” is too close to the edge."),
    "look.min_size": ("「{0}」の文字が小さすぎます（{1:g} pt）。", "“{0}”: text is too small ({1:g} pt)."),
    "look.contrast": (
        "「{0}」の文字と背景の明暗差が足りません（{1:.1f}:1）。",
        "“{0}”: too little contrast ({1:.1f}:1).",
    ),
    "look.placeholder_empty": ("枠「{0}」が空のままです。", "Placeholder “{0}” is empty."),
    "look.prompt_text": ("案内の文字が残っています：「{0}」", "Prompt text is left: “{0}”"),
    "look.title_missing": ("タイトルがありません。", "The slide has no title."),
    "look.title_duplicate": ("スライド{0}と同じタイトルです。", "Same title as slide {0}."),
    "look.title_long": ("タイトルが{0}行あります。", "The title takes {0} lines."),
    "look.density": ("文字が多すぎます（{0}）。", "Too much text ({0})."),
    "look.table_broken": (
        "表「{0}」の{1}行目のセルが欠けているか、中身がありません。",
        "Table “{0}”: row {1} lacks cells, or the table is empty.",
    ),
    "look.table_size": ("表が大きすぎます（{0}行×{1}列）。", "The table is too large ({0} rows × {1} columns)."),
    "look.alignment": (
        "「{0}」と「{1}」の端が{2:.0f} ptずれています。",
        "Edges of “{0}” and “{1}” differ by {2:.0f} pt.",
    ),
    "look.font_ea": ("「{0}」に日本語の書体がありません。", "“{0}”: no East Asian font is set."),
    "look.font_families": ("書体が{0}種類あります（{1}）。", "{0} font families are used ({1})."),
    "look.image_distorted": ("画像「{0}」の縦横比が変わっています。", "Picture “{0}” is distorted."),
    "look.image_dpi": ("画像「{0}」が粗すぎます（{1:.0f} dpi）。", "Picture “{0}” is too coarse ({1:.0f} dpi)."),
    "look.alt_text": ("「{0}」に代替テキストがありません。", "“{0}” has no alternative text."),
    "look.reading_order": (
        "読み上げの順が見た目と違います（「{0}」）。",
        "Reading order differs from what is seen (“{0}”).",
    ),
    "look.chart_workbook": (
        "グラフ「{0}」に元のデータがなく、編集できません。",
        "Chart “{0}” has no workbook and cannot be edited.",
    ),
    "look.chart_title": ("グラフ「{0}」に題名がありません。", "Chart “{0}” has no title."),
    "look.chart_unit": ("グラフ「{0}」に単位がありません。", "Chart “{0}” shows no unit."),
    "look.chart_source": ("グラフ「{0}」に出所がありません。", "Chart “{0}” has no source."),
    "look.chart_as_of": ("グラフ「{0}」に時点がありません。", "Chart “{0}” has no as-of date."),
    "look.chart_axis": (
        "棒グラフ「{0}」の軸が0から始まっていません。",
        "The axis of bar chart “{0}” does not start at zero.",
    ),
    "look.chart_pie": ("円グラフ「{0}」の項目が{1}あります。", "Pie chart “{0}” has {1} parts."),
    "look.link": ("外部へのリンクがあります：{0}", "External link: {0}"),
    "look.embedded": ("マクロや埋め込みオブジェクトがあります：{0}", "Macro or embedded object: {0}"),
    "look.language": (
        "資料の言語と違う言語で書かれています。",
        "The slide is written in another language than the deck.",
    ),
}


def told(rule: str, severity: Severity, slide: str, language: Language, *values: object) -> Finding:
    return Finding(slide=slide, rule=rule, severity=severity, message=say(RULES, rule, language, *values))
