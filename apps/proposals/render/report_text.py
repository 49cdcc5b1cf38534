"""The report on a template as lines for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from apps.proposals.language import pick
from apps.proposals.render.report import ChoiceReport, TemplateReport
from apps.proposals.render.words import Language, kind_label

_REASONS = {
    "geometry": ("配置から判断", "by its geometry"),
    "override": ("対応表の指定", "from the mapping file"),
    "fallback": ("ほかにないため", "for want of another"),
}
_SEVERITIES = {"stop": ("使用不可", "cannot be used"), "warn": ("注意", "warning"), "info": ("参考", "note")}


def report_lines(report: TemplateReport, language: Language) -> Iterator[str]:
    """Verdict, page, fonts; which layout each kind of slide gets; what is missing and what that means."""
    yield f"{report.file}: " + (
        pick(language, "使えます", "can be used") if report.ok else pick(language, "使えません", "cannot be used")
    )
    yield pick(
        language,
        f"  用紙 {report.aspect}（{report.width_cm} × {report.height_cm} cm）、レイアウト {len(report.layouts)}、"
        f"マスター {report.masters}、見本スライド {report.sample_slides}",
        f"  page {report.aspect} ({report.width_cm} x {report.height_cm} cm), {len(report.layouts)} layouts, "
        f"{report.masters} masters, {report.sample_slides} sample slides",
    )
    for font in report.fonts:
        role = pick(language, *(("見出し", "headings") if font.role == "heading" else ("本文", "body")))
        installed = "" if font.installed else pick(language, "（この機械にありません）", " (not on this machine)")
        yield pick(
            language,
            f"  書体 {role}: 英数字 {font.latin}、日本語 {font.east_asian}{installed}",
            f"  font {role}: Latin {font.latin}, Japanese {font.east_asian}{installed}",
        )
    yield pick(language, "スライドの種類ごとのレイアウト:", "Layout of each kind of slide:")
    for kinds, choice in _grouped(report):
        names = pick(language, "、", ", ").join(kind_label(kind, language) for kind in kinds)
        yield f"  {names} → {_chosen(choice, language)}"
    if report.findings:
        yield pick(language, "気づいた点:", "Findings:")
    for finding in report.findings:
        yield f"  [{pick(language, *_SEVERITIES[finding.severity])}] {finding.message}"


def _grouped(report: TemplateReport) -> list[tuple[list[str], ChoiceReport]]:
    """Kinds that share a layout for the same reason stand on one line."""
    groups: dict[tuple[int, str, str], tuple[list[str], ChoiceReport]] = {}
    for kind, choice in report.mapping.items():
        groups.setdefault((choice.layout, choice.role, choice.reason), ([], choice))[0].append(kind)
    return list(groups.values())


def _chosen(choice: ChoiceReport, language: Language) -> str:
    sure = "" if choice.sure else pick(language, "、要確認", ", please confirm")
    reason = pick(language, *_REASONS[choice.reason])
    return pick(
        language,
        f"「{choice.name}」（{choice.layout}番目、{reason}{sure}）",
        f'"{choice.name}" (no. {choice.layout}, {reason}{sure})',
    )
