"""Previews: real LibreOffice where it is installed; a clear message where it is not."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from apps.proposals.checks import check_look
from apps.proposals.render import preview, render, slide_png
from apps.proposals.render.preview import (
    APT,
    PreviewFailed,
    _profile,
    _run,
    fonts_in,
    missing_tools,
    require_tools,
    to_pdf,
)
from kakehashi.errors import NotReady
from tests.helpers.decks import sample_deck

office = [
    pytest.mark.office,
    pytest.mark.skipif(bool(missing_tools()), reason=f"missing: {', '.join(missing_tools())}"),
]


def with_tools(folder: Path, *names: str) -> str:
    """A PATH on which only the named programs are found."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    return str(folder)


def test_without_libreoffice_the_message_names_what_is_missing_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = render(sample_deck("ja"), tmp_path / "deck.pptx")
    monkeypatch.setenv("PATH", with_tools(tmp_path / "bin"))
    assert len(missing_tools()) == 2
    with pytest.raises(NotReady) as caught:
        preview(result.path, tmp_path / "preview")
    assert "soffice" in caught.value.message
    assert caught.value.hint == APT
    assert caught.value.code == "preview_tools_missing"
    assert check_look(result.path, pages=result.pages) == []  # everything else still works


def test_a_program_that_does_not_end_is_stopped_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "still-running"
    script = f"(sleep 3; touch {mark}) & sleep 60"
    with pytest.raises(PreviewFailed) as caught:
        _run(["sh", "-c", script], 0.3)
    assert caught.value.code == "preview_timeout"
    time.sleep(3.2)
    assert not mark.exists()


def test_workers_side_by_side_get_profiles_of_their_own() -> None:
    with _profile() as first, _profile() as second:
        assert first != second
    with _profile() as again:
        assert again == first


@pytest.mark.usefixtures("libreoffice")
class TestWithOffice:
    pytestmark = office

    @pytest.fixture(scope="class")
    def libreoffice(self) -> None:
        require_tools()

    def test_there_is_one_picture_per_slide_in_order(self, tmp_path: Path) -> None:
        result = render(sample_deck("ja"), tmp_path / "deck.pptx")
        old = tmp_path / "preview" / "slide-99.png"
        old.parent.mkdir()
        old.write_bytes(b"old")
        pictures = preview(result.path, tmp_path / "preview", dpi=40)
        assert [p.name for p in pictures] == [f"slide-{n:02d}.png" for n in range(1, len(result.pages) + 1)]
        assert not old.exists()
        with Image.open(pictures[0]) as image:
            assert image.size[0] / image.size[1] == pytest.approx(16 / 9, abs=0.02)

    def test_japanese_text_is_set_in_the_face_the_theme_names(self, tmp_path: Path) -> None:
        result = render(sample_deck("ja"), tmp_path / "deck.pptx")
        pdf = to_pdf(result.path, tmp_path)
        if shutil.which("pdffonts") is None:
            pytest.skip("pdffonts is not installed")
        assert {"BIZUDPGothic-Regular", "BIZUDPGothic-Bold"} <= set(fonts_in(pdf))

    def test_one_slide_alone_looks_as_in_the_deck(self, tmp_path: Path) -> None:
        result = render(sample_deck("en"), tmp_path / "deck.pptx")
        whole = preview(result.path, tmp_path / "preview", dpi=40)
        alone = slide_png(result.path, 4, tmp_path / "four.png", dpi=40)
        with Image.open(whole[3]) as first, Image.open(alone) as second:
            assert first.size == second.size
            changed = sum(a != b for a, b in zip(first.convert("L").tobytes(), second.convert("L").tobytes(), strict=True))
            assert changed < 0.002 * first.size[0] * first.size[1]

    def test_a_file_that_is_no_deck_fails_with_a_message(self, tmp_path: Path) -> None:
        broken = tmp_path / "broken.pptx"
        broken.write_bytes(b"PK\x03\x04 not a deck")
        with pytest.raises(PreviewFailed, match="broken"):
            preview(broken, tmp_path / "preview", timeout_s=60)

    def test_text_stays_where_it_was_measured_to_stand(self, tmp_path: Path) -> None:
        """LibreOffice as judge: no text reaches the lowest strip of the page, which the layouts keep free."""
        result = render(sample_deck("ja"), tmp_path / "deck.pptx")
        for path in preview(result.path, tmp_path / "preview", dpi=40)[1:]:
            with Image.open(path) as image:
                wide, high = image.size
                strip = image.convert("L").crop((0, int(high * 0.985), wide, high))
                assert strip.getextrema()[0] > 200, path.name
