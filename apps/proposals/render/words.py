"""Words the renderer itself writes: section names, labels, shape names and messages, Japanese and English."""

from __future__ import annotations

from typing import Literal

from apps.proposals.model import Finding

Language = Literal["ja", "en"]

SECTIONS: dict[str, tuple[str, str]] = {
    "title": ("", ""),
    "agenda": ("目次", "Agenda"),
    "summary": ("エグゼクティブサマリー", "Executive summary"),
    "issues": ("課題認識", "Issues"),
    "proposal": ("ご提案", "Proposal"),
    "effect": ("期待効果", "Expected effect"),
    "comparison": ("比較検討", "Comparison"),
    "schedule": ("スケジュール", "Schedule"),
    "cost": ("費用", "Cost"),
    "risks": ("リスクと対応", "Risks and responses"),
    "notes": ("ご注意事項", "Important notices"),
    "team": ("支援体制", "Team"),
    "case": ("事例", "Case"),
    "process": ("進め方", "Process"),
    "text": ("補足", "Remarks"),
    "appendix": ("参考資料", "Appendix"),
}

LABELS: dict[str, tuple[str, str]] = {
    "source": ("出所：", "Source: "),
    "as_of": ("{0}時点", "as of {0}"),
    "unit": ("単位：{0}", "{0}"),
    "titled_unit": ("{0}（単位：{1}）", "{0} ({1})"),
    "points": ("ポイント", "Key points"),
    "risk": ("想定されるリスク", "Risk"),
    "response": ("対応", "Response"),
    "notice": ("ご注意", "Please note"),
    "phase": ("項目", "Step"),
    "recipient": ("{0} 御中", "{0}"),
    "page_of": ("（{0}/{1}）", " ({0}/{1})"),
    "continued": ("（続き）", " (cont.)"),
    "join": ("、", "; "),
    "full_text": ("【スライドで省略した文】", "[Text shortened on the slide]"),
    "notes_sources": ("【出所】", "[Sources]"),
    "no_data": ("データがありません", "No data"),
    "increase": ("増加", "Increase"),
    "decrease": ("減少", "Decrease"),
    "total": ("合計", "Total"),
    "base": ("（土台）", "(base)"),
    "chart_alt": ("{kind}「{title}」。{data}", "{kind}: {title}. {data}"),
    "table_alt": (
        "表「{title}」。{rows}行{columns}列。見出し：{heads}",
        "Table: {title}. {rows} rows, {columns} columns. Headings: {heads}",
    ),
    "schedule_alt": ("日程表", "Schedule"),
    "column": ("縦棒グラフ", "Column chart"),
    "bar": ("横棒グラフ", "Bar chart"),
    "line": ("折れ線グラフ", "Line chart"),
    "pie": ("円グラフ", "Pie chart"),
    "waterfall": ("滝グラフ", "Waterfall chart"),
    "combo": ("複合グラフ", "Combination chart"),
}

# Names of shapes in PowerPoint's selection pane. The checks know footnotes and notices by them.
NAMES: dict[str, tuple[str, str]] = {
    "card": ("カード", "Card"),
    "number": ("番号", "Number"),
    "accent": ("飾り", "Accent"),
    "line": ("線", "Line"),
    "text": ("文章", "Text"),
    "figure": ("数値", "Figure"),
    "panel": ("パネル", "Panel"),
    "step": ("手順", "Step"),
    "arrow": ("矢印", "Arrow"),
    "source": ("出所", "Source"),
    "unit": ("単位", "Unit"),
    "notice": ("注意", "Notice"),
    "bar": ("期間", "Bar"),
    "head": ("見出し", "Heading"),
    "box": ("担当", "Box"),
    "chart": ("グラフ", "Chart"),
    "table": ("表", "Table"),
    "title": ("タイトル", "Title"),
    "group": ("グループ", "Group"),
}

MESSAGES: dict[str, tuple[str, str]] = {
    "render.split": ("入りきらないため{0}枚に分けました。", "Did not fit; continued over {0} slides."),
    "render.shrunk": ("{0}の文字を{1:g} ptまで小さくしました。", "{0}: text shrunk to {1:g} pt."),
    "render.shortened": (
        "「{0}」を短くしました。全文は発表者ノートにあります。",
        "“{0}” was shortened; the full text is in the speaker notes.",
    ),
    "render.empty": ("内容がありません。", "The slide has no content."),
    "render.chart_data": ("グラフのデータに不備があります：{0}", "The chart's data are incomplete: {0}"),
    "render.chart_type": ("{0}では表せないため{1}にしました：{2}", "{0} cannot show this; drawn as {1}: {2}"),
    "render.table_data": (
        "表の列数が合わない行があります（{0}行目）。空欄で補いました。",
        "Row {0} has another number of cells; filled with blanks.",
    ),
    "render.schedule_data": (
        "「{0}」の期間が表の範囲外のため、範囲内に収めました。",
        "“{0}” lies outside the time axis and was moved inside.",
    ),
    "template.ea_font": (
        "テンプレートの東アジア用フォントが空のため「{0}」を設定しました。",
        "The template names no East Asian font; set to {0}.",
    ),
    "template.font_missing": (
        "フォント「{0}」がこの機械にないため、別の書体で文字幅を測りました。",
        "The font {0} is not installed here; widths were measured with a stand-in.",
    ),
    "template.samples": ("見本のスライド{0}枚を取り除きました。", "{0} sample slides were removed."),
    "template.macros": ("マクロを取り除きました。", "Macros were removed."),
    "template.no_title": (
        "レイアウト「{0}」にタイトルの枠がないため、枠を描きました。",
        "Layout “{0}” has no title placeholder; a box was drawn.",
    ),
    "template.no_body": (
        "レイアウト「{0}」に本文の枠がないため、枠を描きました。",
        "Layout “{0}” has no body placeholder; a box was drawn.",
    ),
    "template.no_number": ("レイアウト「{0}」にスライド番号がありません。", "Layout “{0}” has no slide number."),
    "template.unsure": (
        "「{0}」に使うレイアウト「{1}」は確かではありません。対応表で指定できます。",
        "Layout “{1}” for “{0}” is a guess; a mapping file can name another.",
    ),
    "template.narrow": (
        "レイアウト「{0}」で使える場所が狭く、内容を入れにくくなります。",
        "Layout “{0}” leaves little room for content.",
    ),
}


def say(table: dict[str, tuple[str, str]], key: str, language: Language, *values: object, **named: object) -> str:
    text = table[key][0 if language == "ja" else 1]
    return text.format(*values, **named) if values or named else text


def kind_label(kind: str, language: Language) -> str:
    """What a kind of slide is called."""
    return say({"title": ("表紙", "Cover")} if kind == "title" else SECTIONS, kind, language)


def label(key: str, language: Language, *values: object, **named: object) -> str:
    return say(LABELS, key, language, *values, **named)


def finding(
    rule: str, severity: Literal["stop", "warn", "info"], slide: str, language: Language, *values: object
) -> Finding:
    return Finding(slide=slide, rule=rule, severity=severity, message=say(MESSAGES, rule, language, *values))
