"""The model registry, manifests and what ``engine.model`` may name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakehashi.errors import ConfigError, IntegrityError, NotReady
from serving import models, source


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "架け橋 home"
    (place / "models").mkdir(parents=True)
    monkeypatch.setenv("KAKEHASHI_HOME", str(place))
    return place


def make_model(home: Path, folder: str) -> Path:
    place = home / "models" / folder
    place.mkdir()
    (place / "model.bin").write_bytes(b"weights")
    models.write_manifest(place, {"name": folder})
    return place


@pytest.mark.parametrize("name", list(models.registry()))
def test_the_parts_of_each_file_add_up(name: str) -> None:
    for file in models.embedded(name).files:
        assert sum(part.bytes for part in file.parts) == file.bytes
        assert len({part.member for part in file.parts}) == len(file.parts)
        assert all(len(part.sha256) == 64 and "==" in part.package for part in file.parts)


def test_the_models_that_facts_name_have_the_hashes_recorded_there() -> None:
    recorded = {
        "qwen2.5-1.5b": "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        "qwen2.5-0.5b": "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    }
    assert {name: models.embedded(name).files[0].sha256 for name in recorded} == recorded


def test_a_model_that_is_not_there_names_the_command_that_fetches_it(home: Path) -> None:
    with pytest.raises(NotReady, match="kakehashi models fetch whisper-base"):
        models.path("whisper-base")


def test_an_unknown_model_names_the_known_ones(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"no embedded model 'gpt'.*smollm2-135m"):
        models.path("gpt")


def test_a_folder_counts_only_once_it_has_its_manifest(home: Path) -> None:
    (home / "models" / "speaker").mkdir()
    with pytest.raises(NotReady):
        models.path("speaker")
    models.write_manifest(home / "models" / "speaker", {})
    assert models.path("speaker") == home / "models" / "speaker"


def test_the_int8_copy_is_preferred(home: Path) -> None:
    make_model(home, "qwen2.5-0.5b-bf16")
    assert models.path("qwen2.5-0.5b").name == "qwen2.5-0.5b-bf16"
    make_model(home, "qwen2.5-0.5b-w8a8")
    assert models.path("qwen2.5-0.5b").name == "qwen2.5-0.5b-w8a8"


def test_a_manifest_holds_no_absolute_path_and_verifies_after_a_move(home: Path, tmp_path: Path) -> None:
    place = make_model(home, "speaker")
    assert str(tmp_path) not in (place / models.MANIFEST).read_text()
    moved = place.rename(tmp_path / "elsewhere")
    assert models.verify(moved) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda place: (place / "model.bin").write_bytes(b"poison!"), "sha256 expected .* found"),
        (lambda place: (place / "model.bin").unlink(), "model.bin is missing"),
        (lambda place: (place / "more.bin").write_bytes(b""), "more.bin does not belong"),
    ],
)
def test_any_change_of_a_model_is_found(home: Path, change: object, message: str) -> None:
    place = make_model(home, "speaker")
    assert callable(change)
    change(place)
    with pytest.raises(IntegrityError, match=message):
        models.verify(place)


# -- engine.model -----------------------------------------------------------------------------------------------------


def test_each_form_of_engine_model_is_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    file = tmp_path / "small v2.gguf"
    file.touch()
    forms = {
        "embedded:qwen2.5-0.5b": ("embedded", "qwen2.5-0.5b"),
        "Qwen/Qwen2.5-7B-Instruct": ("hub", "Qwen2.5-7B-Instruct"),
        "https://llm.example/v1/": ("url", "external"),
        str(folder): ("folder", "my-model"),
        str(file): ("gguf", "small-v2"),
    }
    assert {form: (s.kind, s.name) for form in forms for s in [source.parse(form)]} == forms


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("embedded:whisper-base", "not a language model"),
        ("embedded:nonsense", "no embedded model"),
        ("/nowhere/model.gguf", "no file"),
        ("just-a-word", "neither embedded:NAME"),
        ("ftp://x/y", "neither embedded:NAME"),
    ],
)
def test_a_model_that_cannot_be_says_what_was_expected(value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        source.parse(value)


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json"):
        source.parse(str(tmp_path))


def test_two_local_models_of_one_name_do_not_share_a_folder(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "model.gguf").touch()
    folders = {source.parse(str(tmp_path / place / "model.gguf")).folder("w8a8") for place in "ab"}
    assert len(folders) == 2


@given(st.from_regex(r"[\w.-]{1,20}/[\w.-]{1,20}", fullmatch=True))
def test_a_hub_id_becomes_one_folder_name(model: str) -> None:
    assert "/" not in source.Source("hub", model, "x").folder("w8a8")
