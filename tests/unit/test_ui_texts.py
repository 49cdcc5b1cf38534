"""The texts of the pages: the same keys in both languages, every key used exists, no English on the Japanese page."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from apps.common.i18n import LANGUAGES, Texts, catalogue, clock
from apps.common.jobs import Failure, State
from apps.common.ui.words import explain, explain_failure
from apps.minutes.messages import MESSAGES, localise
from apps.minutes.ui.edits import SECTIONS
from kakehashi.errors import BadInput, KakehashiError
from kakehashi.paths import CHECKOUT

SOURCES = [p for part in ("common", "minutes/ui", "proposals/ui") for p in (CHECKOUT / "apps" / part).rglob("*.py")]
ALLOWED_LATIN = {
    "PowerPoint", "LibreOffice", "YAML", "Markdown", "Word", "JSON", "SRT", "VTT", "CSV", "ToDo", "ID", "Cookie", "Ctrl", "Enter",
    "Backspace", "MiB", "GB", "MB", "KB", "https", "http", "wav", "mp3", "m4a", "mp4", "webm", "ogg", "flac", "txt",
    "csv", "md", "vtt", "srt", "UTF", "pdf", "docx", "xlsx", "pptx", "deck", "json", "report", "make", "up", "kakehashi", "key", "create",
    "status", "demo", "x",
}  # fmt: skip


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_the_same_slots() -> None:
    ja, en = catalogue("ja"), catalogue("en")
    assert ja.keys() == en.keys()
    assert {k: fields(ja[k]) for k in ja} == {k: fields(en[k]) for k in en}


def test_no_english_word_stands_in_a_japanese_text() -> None:
    found = {
        key: sorted(words)
        for key, text in catalogue("ja").items()
        if (words := set(re.findall(r"[A-Za-z]{2,}[0-9]?", re.sub(r"\{\w+\}", "", text))) - ALLOWED_LATIN)
    }
    assert found == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(CHECKOUT)))
def test_every_text_a_page_asks_for_exists(path: Path) -> None:
    asked = re.findall(r"""\b(?:page\.t|t|texts)\(\s*"([a-z_]+\.[a-z_.]+)\"""", path.read_text())
    assert [key for key in asked if key not in catalogue("ja")] == []


def test_every_text_that_the_browser_components_ask_for_exists() -> None:
    folder = CHECKOUT / "apps/common/ui/components"
    drop = re.findall(r'this\.text\("(\w+)"', (folder / "drop.js").read_text())
    assert set(drop) <= Texts("ja").group("drop").keys()
    for name in ("player", "lines"):
        used = set(re.findall(r"(?:\bt|texts)\.(\w+)\b", (folder / f"{name}.js").read_text()))
        assert used <= Texts("ja").group(name).keys()


def test_states_sections_and_edits_all_have_words() -> None:
    keys = catalogue("ja").keys()
    assert {f"states.{state}" for state in State} <= keys
    assert {f"minutes.{section}" for section in SECTIONS} <= keys
    assert {f"edits.{op}" for op in ("line", "speaker", "item", "confirm", "add", "remove", "meeting")} <= keys


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_message_and_a_hint(language: str) -> None:
    texts = catalogue("ja" if language == "ja" else "en")
    codes = {key.split(".")[1] for key in texts if key.startswith("errors.")}
    assert {f"errors.{c}.{part}" for c in codes for part in ("message", "hint")} <= texts.keys()


@pytest.mark.parametrize(
    ("seconds", "ja", "en"),
    [(0, "0秒", "0 s"), (59.4, "59秒", "59 s"), (200, "3分20秒", "3 min 20 s"), (3900, "1時間5分", "1 h 5 min")],
)
def test_durations_in_words(seconds: float, ja: str, en: str) -> None:
    assert (Texts("ja").duration(seconds), Texts("en").duration(seconds)) == (ja, en)


def test_places_in_a_recording() -> None:
    assert [clock(0), clock(192.9), clock(3723)] == ["00:00", "03:12", "1:02:03"]


def test_sizes_in_words() -> None:
    t = Texts("ja")
    assert [t.size(0), t.size(10), t.size(1536), t.size(5 << 20), t.size(2 << 30)] == [
        "0 KB", "1 KB", "1 KB", "5.0 MB", "2.0 GB",
    ]  # fmt: skip


def test_an_error_of_the_app_comes_in_the_users_language_with_its_values() -> None:
    error = BadInput("'a.wav' is empty.", code="audio_empty", values={"file": "a.wav"})
    assert explain(error, "ja", localise)[0] == "「a.wav」は空のファイルです（0バイト）。"
    assert explain(error, "en", localise)[0].startswith("'a.wav' is an empty file")


def test_a_shared_error_comes_from_the_shared_texts() -> None:
    error = KakehashiError("The gateway cannot be reached.", hint="Check `kakehashi status`.", code="gateway_down")
    assert explain(error, "ja", localise) == (
        "ゲートウェイに接続できません。",
        "しばらくしてからもう一度実行してください。続く場合は管理者に伝えてください（kakehashi status）。",
    )


def test_an_unknown_error_is_told_inside_a_japanese_sentence_and_one_already_japanese_as_it_is() -> None:
    assert explain(KakehashiError("Quux {broke}."), "ja")[0] == "処理できませんでした。（Quux {broke}.）"
    assert explain(KakehashiError("ブリーフが空です。", hint="書いてください。"), "ja") == (
        "ブリーフが空です。",
        "書いてください。",
    )


def test_a_file_name_in_japanese_does_not_pass_for_a_japanese_message() -> None:
    error = BadInput("'録音.wav' is empty (0 bytes).", code="upload_empty", values={"file": "録音.wav"})
    assert explain(error, "ja")[0] == "「録音.wav」は空のファイルです（0バイト）。"


def test_a_failure_keeps_what_its_translation_needs() -> None:
    failure = Failure(stage="speech", code="audio_silent", message="x", values={"file": "a.wav", "minutes": "3"})
    assert explain_failure(failure, "ja", localise)[0] == "「a.wav」（3分）には話し声が見つかりませんでした。"


def test_a_missing_value_never_costs_the_message() -> None:
    assert "—" in explain(BadInput("x", code="upload_too_large"), "ja")[0]


def test_no_code_of_the_minutes_app_is_without_translation() -> None:
    for code in MESSAGES:
        assert set(MESSAGES[code]) == {"ja", "en"}
