"""From blocks to items and pages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.proposals.model import TextBlock
from apps.proposals.render.items import (
    Item,
    balanced_chunks,
    exploded,
    items_of,
    paginate,
    sentences,
    split_head,
    tree_of,
)
from tests.helpers.decks import blocks


def test_a_short_head_before_a_colon_is_split_off() -> None:
    assert split_head("金利負担の軽減：年760万円減ります", "ja") == ("金利負担の軽減", "年760万円減ります")
    assert split_head("Lower interest: saves money", "en") == ("Lower interest", "Saves money")


def test_times_and_addresses_are_not_heads() -> None:
    assert split_head("会議は10:30に始めます", "ja")[0] == ""
    assert split_head("https://example.com の資料", "ja")[0] == ""


def test_a_long_part_before_the_colon_is_running_text() -> None:
    text = "これはとても長い前置きであり見出しとしては使えない長さになっている文章です：本文"
    assert split_head(text, "ja") == ("", text)


def test_names_keep_their_capitals_after_the_colon() -> None:
    assert split_head("Tool: iPad for sales", "en") == ("Tool", "iPad for sales")


def test_deeper_blocks_become_details() -> None:
    assert items_of(blocks("見出し", "- 一つ目", "- 二つ目"), "ja") == [Item("見出し", ("一つ目", "二つ目"))]


def test_a_body_that_starts_deep_loses_nothing() -> None:
    assert items_of(blocks("- 先頭", "次"), "ja") == [Item("", ("先頭",)), Item("", ("次",))]


def test_empty_blocks_are_skipped() -> None:
    assert items_of([TextBlock(text="  "), TextBlock(text="一つ")], "ja") == [Item("", ("一つ",))]


def test_a_tree_follows_the_levels() -> None:
    (root,) = tree_of(blocks("統括", "- 融資", "- - 審査", "- 外為"))
    assert [child.head for child in root.children] == ["融資", "外為"]
    assert root.children[0].children[0].head == "審査"


@given(st.lists(st.tuples(st.text("あいう", min_size=1, max_size=3), st.integers(0, 4)), max_size=12))
def test_a_tree_holds_every_block(rows: list[tuple[str, int]]) -> None:
    def count(items: tuple[Item, ...]) -> int:
        return sum(1 + count(item.children) for item in items)

    assert count(tuple(tree_of([TextBlock(text=text, level=level) for text, level in rows]))) == len(rows)


@given(st.text(alphabet="あい。！？.!? A\n1.5」", max_size=60))
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_sentences_end_after_the_closing_bracket() -> None:
    assert sentences("「はい。」と言う。次へ。") == ["「はい。」", "と言う。", "次へ。"]


def test_decimals_are_not_sentence_ends() -> None:
    assert sentences("It is 12.5% now. Then more.") == ["It is 12.5% now. ", "Then more."]


@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 30))
def test_chunks_keep_the_order_and_differ_by_one_at_most(items: list[int], count: int) -> None:
    chunks = balanced_chunks(items, min(count, len(items)))
    assert [x for chunk in chunks for x in chunk] == items
    assert max(map(len, chunks)) - min(map(len, chunks)) <= 1


def test_the_fewest_pages_are_taken_and_filled_evenly() -> None:
    assert [len(page) for page in paginate(list(range(7)), lambda page: len(page) <= 6)] == [4, 3]
    assert paginate([1, 2], lambda page: True) == [[1, 2]]


def test_items_that_fit_nowhere_stand_alone() -> None:
    assert paginate([1, 2], lambda page: False) == [[1], [2]]


def test_a_long_item_is_cut_between_sentences_under_the_same_head() -> None:
    item = Item("見出し", ("一番目の文です。二番目の文です。三番目の文です。",))
    parts = list(exploded([item], lambda i: sum(map(len, i.details)) <= 17, "（続き）"))
    assert [part.head for part in parts] == ["見出し", "見出し（続き）"]
    assert "".join("".join(part.details) for part in parts) == item.details[0]


@given(st.text(alphabet="あいうえお。、 ", min_size=1, max_size=200).filter(str.strip), st.integers(8, 40))
def test_cutting_an_item_loses_nothing(text: str, room: int) -> None:
    parts = list(exploded([Item("", (text,))], lambda i: sum(map(len, i.details)) <= room, ""))
    assert "".join("".join(part.details) for part in parts) == text
    assert all(sum(map(len, part.details)) <= room for part in parts)
