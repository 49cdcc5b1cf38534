"""Theme colours and their contrast."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.proposals.render.color import RGB, Color, Palette, contrast, luminance, scheme_on, shifted

CHANNEL = st.integers(0, 255)
COLOR = st.tuples(CHANNEL, CHANNEL, CHANNEL)
TOKENS = ["bg1", "tx1", "bg2", "tx2", *(f"accent{n}" for n in range(1, 7))]


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((10, 20, 30), (10, 20, 30)) == pytest.approx(1)


@given(COLOR, COLOR)
def test_contrast_does_not_depend_on_the_order(first: RGB, second: RGB) -> None:
    assert contrast(first, second) == pytest.approx(contrast(second, first))
    assert 1 <= contrast(first, second) <= 21.01


@given(COLOR)
def test_lightening_and_darkening_go_the_right_way(rgb: RGB) -> None:
    assert luminance(shifted(rgb, 0.4, 0.6)) >= luminance(rgb) - 0.02
    assert luminance(shifted(rgb, 0.5, 0)) <= luminance(rgb) + 0.01


def test_luminance_changes_are_written_into_the_element() -> None:
    element = Color("accent1", 60, 40).element()
    assert element.get("val") == "accent1"
    assert [child.get("val") for child in element] == ["60000", "40000"]


@given(st.lists(COLOR, min_size=10, max_size=10), COLOR)
def test_on_any_theme_and_background_every_text_role_can_be_read(colors: list[RGB], background: RGB) -> None:
    palette = Palette(dict(zip(TOKENS, colors, strict=True)))
    scheme = scheme_on(palette, background)
    on = palette.rgb
    assert contrast(on(scheme.ink), background) >= 4.5
    assert contrast(on(scheme.accent_text), background) >= 4.5
    assert contrast(on(scheme.on_surface), on(scheme.surface)) >= 4.5
    assert contrast(on(scheme.accent_on_surface), on(scheme.surface)) >= 4.5
    for fill in (scheme.brand, scheme.accent, scheme.alert):
        assert contrast(on(scheme.on(fill)), on(fill)) >= 4.5


def test_the_templates_own_text_colour_is_kept_where_it_can_be_read() -> None:
    palette = Palette({"bg1": (255, 255, 255), "tx1": (0, 0, 0), "tx2": (20, 40, 90)})
    assert scheme_on(palette, (255, 255, 255), Color("tx2")).ink == Color("tx2")
