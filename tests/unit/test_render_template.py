"""Templates are understood by type and geometry; the choice of layouts is reported and can be overruled."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.proposals.render import check_template
from apps.proposals.render.geometry import Box
from apps.proposals.render.mapping import KINDS, TemplateMapping, load_mapping, trimmed
from apps.proposals.templates import DEFAULT_TEMPLATE
from kakehashi.errors import BadInput
from tests.helpers import templates


def rules(report: object) -> set[str]:
    return {finding.rule for finding in report.findings}  # type: ignore[attr-defined]


def test_the_default_template_has_a_place_for_every_kind_and_nothing_to_report() -> None:
    report = check_template(DEFAULT_TEMPLATE)
    assert set(report.mapping) == set(KINDS)
    assert report.ok
    assert report.findings == []
    assert (report.aspect, report.masters, len(report.layouts)) == ("16:9", 1, 5)
    roles = {choice.role: choice.name for choice in report.mapping.values()}
    assert roles == {"cover": "表紙", "content": "見出しのみ", "text": "見出しと本文"}
    assert all(choice.sure for choice in report.mapping.values())


def test_names_and_order_of_layouts_do_not_matter(tmp_path: Path) -> None:
    plain = check_template(templates.classic(tmp_path))
    renamed = check_template(templates.german(tmp_path))

    def shape(report: object, kind: str) -> list[tuple[str, int]]:
        choice = report.mapping[kind]  # type: ignore[attr-defined]
        layout = next(item for item in report.layouts if item.number == choice.layout)  # type: ignore[attr-defined]
        return sorted((p.type, p.index) for p in layout.placeholders)

    for kind in ("title", "effect", "text"):
        assert shape(renamed, kind) == shape(plain, kind)


def test_an_empty_east_asian_font_is_found(tmp_path: Path) -> None:
    report = check_template(templates.classic(tmp_path))
    assert report.aspect == "4:3"
    assert "template.ea_font" in rules(report)
    assert all(font.east_asian_was_empty and font.east_asian for font in report.fonts)


def test_the_themes_own_japanese_face_is_taken(tmp_path: Path) -> None:
    report = check_template(templates.fonts(tmp_path))
    assert {font.east_asian for font in report.fonts} == {"游ゴシック"}


def test_a_template_without_body_says_so(tmp_path: Path) -> None:
    report = check_template(templates.no_body(tmp_path))
    assert report.ok
    assert "template.no_body" in rules(report)


def test_a_template_without_title_says_so(tmp_path: Path) -> None:
    report = check_template(templates.no_title(tmp_path))
    assert {"template.no_title", "template.no_body"} <= rules(report)


def test_samples_and_macros_are_counted(tmp_path: Path) -> None:
    assert check_template(templates.sampled(tmp_path)).sample_slides == 3
    report = check_template(templates.macros(tmp_path))
    assert report.macros
    assert "template.macros" in rules(report)


def test_a_logo_is_kept_clear(tmp_path: Path) -> None:
    report = check_template(templates.logo(tmp_path))
    number = report.mapping["effect"].layout
    area = next(layout for layout in report.layouts if layout.number == number).content_area
    cm = 72 / 2.54
    box = Box(area.left * cm, area.top * cm, area.width * cm, area.height * cm)
    assert box.common(Box(800, 20, 140, 120)) < 1


def test_the_report_can_be_written_as_json() -> None:
    text = check_template(DEFAULT_TEMPLATE, language="en").model_dump_json()
    assert '"mapping"' in text


def test_a_mapping_overrules_roles_and_kinds() -> None:
    mapping = TemplateMapping.model_validate({"layouts": {"text": 4}, "kinds": {"cost": "見出しと本文"}})
    report = check_template(DEFAULT_TEMPLATE, mapping=mapping)
    assert report.mapping["text"].layout == 4
    assert (report.mapping["cost"].name, report.mapping["cost"].reason) == ("見出しと本文", "override")


def test_a_mapping_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("layouts: {content: 2}\narea: {left: 2, top: 4, width: 20, height: 10}\n", encoding="utf-8")
    mapping = load_mapping(path)
    assert mapping.layouts == {"content": 2}
    assert mapping.area is not None
    assert mapping.area.box().w == pytest.approx(20 * 72 / 2.54)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("layouts: [", "mapping_not_yaml"),
        ("layout: {content: 2}", "mapping_invalid"),
        ("kinds: {nonsense: 2}", "mapping_invalid"),
        ("area: {left: 1}", "mapping_invalid"),
        ("- 1", "mapping_invalid"),
    ],
)
def test_a_faulty_mapping_file_is_refused(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_mapping(path)
    assert caught.value.code == code


@pytest.mark.parametrize("wanted", [99, "そんな名前はない"])
def test_a_mapping_to_a_layout_that_is_not_there_lists_those_that_are(wanted: int | str) -> None:
    with pytest.raises(BadInput, match="見出しのみ") as caught:
        check_template(DEFAULT_TEMPLATE, mapping=TemplateMapping(layouts={"content": wanted}))
    assert caught.value.code == "mapping_layout"


def test_a_box_is_cut_where_it_costs_least() -> None:
    area = Box(0, 0, 100, 100)
    assert trimmed(area, [Box(90, 0, 10, 100)]) == Box(0, 0, 84, 100)
    assert trimmed(area, [Box(0, 0, 100, 10)]) == Box(0, 16, 100, 84)
    assert trimmed(area, [Box(200, 200, 5, 5)]) == area


def test_a_cut_that_would_leave_too_little_is_not_made() -> None:
    area = Box(0, 0, 100, 100)
    assert trimmed(area, [Box(40, 40, 20, 20)], least=0.5) == area


def test_boxes_divide_without_gaps_lost() -> None:
    box = Box(10, 20, 300, 90)
    columns = box.columns([1, 2], gap=30)
    assert [column.w for column in columns] == [90, 180]
    assert columns[-1].right == box.right
    assert len(box.grid(3, 2, 6)) == 6
    assert Box.around(box.grid(3, 2, 6)) == box
