"""Each defect that is planted into a sound deck is found by its rule, and a sound deck has none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pptx import Presentation

from apps.proposals.checks import check_look
from apps.proposals.render import RenderResult, render
from bench.slides.defects import SEEDS, Seed
from tests.helpers.decks import sample_deck


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> RenderResult:
    return render(sample_deck("ja"), tmp_path_factory.mktemp("sound") / "deck.pptx")


def test_a_sound_deck_has_no_findings(sound: RenderResult) -> None:
    assert [f for f in check_look(sound.path, pages=sound.pages) if f.severity != "info"] == []


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_planted_defect_is_found_by_its_rule_alone(seed: Seed, sound: RenderResult, tmp_path: Path) -> None:
    prs = Presentation(str(sound.path))
    seed.plant(prs)
    prs.save(str(tmp_path / "seeded.pptx"))
    found = check_look(tmp_path / "seeded.pptx", pages=sound.pages)
    assert {f.rule for f in found if f.severity != "info"} == {seed.rule}
    assert all(f.message and f.slide for f in found)
