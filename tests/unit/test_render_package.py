"""Files that are no templates get a specific message; templates open whatever their wrapping."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pptx import Presentation

from apps.common.properties import LIMIT, provenance
from apps.proposals.checks.file import part_graph
from apps.proposals.render.archive import normalised
from apps.proposals.render.package import (
    OLE,
    identity,
    open_template,
    remove_slides,
    save,
    set_custom,
)
from apps.proposals.templates import DEFAULT_TEMPLATE, build
from kakehashi.errors import BadInput
from tests.helpers import templates


def code_of(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        open_template(path)
    assert path.name in caught.value.message
    return caught.value.code


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_a_missing_file(tmp_path: Path) -> None:
    assert code_of(tmp_path / "nothing.pptx") == "template_missing"


def test_an_empty_file(tmp_path: Path) -> None:
    assert code_of(written(tmp_path, "a.pptx", b"")) == "template_empty"


def test_a_file_that_is_no_office_file(tmp_path: Path) -> None:
    assert code_of(written(tmp_path, "a.pptx", b"MZ this is a program")) == "template_not_pptx"


def test_a_zip_cut_short(tmp_path: Path) -> None:
    data = DEFAULT_TEMPLATE.read_bytes()
    assert code_of(written(tmp_path, "a.pptx", data[: len(data) // 2])) == "template_corrupt"


def test_a_zip_with_a_damaged_part(tmp_path: Path) -> None:
    data = bytearray(DEFAULT_TEMPLATE.read_bytes())
    data[400:460] = b"\x00" * 60
    assert code_of(written(tmp_path, "a.pptx", bytes(data))) == "template_corrupt"


def test_a_password(tmp_path: Path) -> None:
    data = OLE + b"\x00" * 100 + "EncryptedPackage".encode("utf-16-le")
    assert code_of(written(tmp_path, "a.pptx", data)) == "template_encrypted"


def test_the_old_format(tmp_path: Path) -> None:
    assert code_of(written(tmp_path, "a.ppt", OLE + b"\x00" * 100)) == "template_old_format"


def test_a_word_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.pptx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types>wordprocessingml</Types>")
    with pytest.raises(BadInput, match="Word"):
        open_template(path)


def test_a_plain_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.pptx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert code_of(path) == "template_not_pptx"


def test_a_presentation_part_that_is_not_xml(tmp_path: Path) -> None:
    path = templates.repacked(
        DEFAULT_TEMPLATE,
        tmp_path / "a.pptx",
        lambda name, data: b"<broken" if name == "ppt/presentation.xml" else data,
    )
    assert code_of(path) == "template_corrupt"


def test_a_template_without_layouts(tmp_path: Path) -> None:
    assert code_of(templates.no_layouts(tmp_path)) == "template_no_layouts"


def test_a_potx_opens(tmp_path: Path) -> None:
    assert len(open_template(templates.potx(tmp_path)).prs.slide_layouts) == 5


def test_macros_are_dropped_and_said_so(tmp_path: Path) -> None:
    opened = open_template(templates.macros(tmp_path))
    assert opened.macros
    save(opened.prs, tmp_path / "out.pptx", datetime(2026, 1, 1, tzinfo=UTC))
    assert not [name for name in templates.entries(tmp_path / "out.pptx") if "vba" in name.lower()]


def test_sample_slides_go_with_everything_that_hung_on_them(tmp_path: Path) -> None:
    opened = open_template(templates.sampled(tmp_path))
    assert opened.samples == 3
    assert sum(opened.usage.values()) == 3
    out = tmp_path / "out.pptx"
    save(opened.prs, out, datetime(2026, 1, 1, tzinfo=UTC))
    assert list(part_graph(out)) == []
    names = templates.entries(out)
    assert not [n for n in names if n.startswith("ppt/slides/") or "notesSlide" in n or n == "docProps/app.xml"]
    with zipfile.ZipFile(out) as archive:
        assert "見本" not in archive.read("ppt/presentation.xml").decode()


def test_one_slide_can_be_kept(tmp_path: Path) -> None:
    path = templates.sampled(tmp_path)
    prs = Presentation(str(path))
    assert remove_slides(prs, keep={1}) == 2
    out = templates.save(prs, tmp_path / "out.pptx")
    assert [slide.shapes.title.text for slide in Presentation(str(out)).slides] == ["見本 1"]
    assert list(part_graph(out)) == []


def test_custom_properties_keep_labels_and_replace_our_own(tmp_path: Path) -> None:
    prs = Presentation(str(DEFAULT_TEMPLATE))
    set_custom(prs, {"MSIP_Label": "社外秘", "kakehashi.model": "old"})
    set_custom(prs, {"kakehashi.model": "new"})
    out = templates.save(prs, tmp_path / "out.pptx")
    with zipfile.ZipFile(out) as archive:
        text = archive.read("docProps/custom.xml").decode()
    assert "社外秘" in text
    assert "new" in text
    assert "old" not in text
    assert 'pid="2"' in text
    assert 'pid="3"' in text


def test_long_values_are_cut_into_numbered_properties() -> None:
    found = provenance({"request_ids": [f"req-{n:06d}" for n in range(60)], "policy": "default@1", "empty": []})
    assert found["kakehashi.policy"] == "default@1"
    numbered = [key for key in found if key.startswith("kakehashi.request_ids.")]
    assert len(numbered) > 1
    assert all(len(value) <= LIMIT for value in found.values())
    joined = "".join(found[f"kakehashi.request_ids.{n}"] for n in range(1, len(numbered) + 1))
    assert joined.split(", ")[-1] == "req-000059"


def test_nested_values_are_json() -> None:
    assert provenance({"policy": {"b": 1, "a": "基"}}) == {"kakehashi.policy": '{"a": "基", "b": 1}'}


def test_identities_are_stable_and_differ() -> None:
    assert identity("a", 1) == identity("a", 1)
    assert len({identity("a", n) for n in range(200)}) == 200


def test_writing_twice_gives_the_same_bytes() -> None:
    assert normalised(DEFAULT_TEMPLATE.read_bytes()) == normalised(normalised(DEFAULT_TEMPLATE.read_bytes()))


def test_the_committed_default_template_is_what_the_builder_makes(tmp_path: Path) -> None:
    built = tmp_path / "built.pptx"
    built.write_bytes(build.build())
    with zipfile.ZipFile(built) as new, zipfile.ZipFile(DEFAULT_TEMPLATE) as old:
        assert new.namelist() == old.namelist()
        assert [n for n in new.namelist() if new.read(n) != old.read(n)] == []
