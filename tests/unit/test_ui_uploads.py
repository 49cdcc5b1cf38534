"""Uploads on disk, who owns them, and the sound of a meeting in ranges: cores and routes, without a browser."""

from __future__ import annotations

import hashlib
import io
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from apps.common.accounts import Accounts
from apps.common.jobs import Jobs
from apps.common.login import COOKIE, Door, People, Preferences, identify
from apps.common.ui.audio import sound, wanted_range
from apps.common.ui.server import BrowserCookie
from apps.common.ui.transfer import GUARD, Transfer
from apps.common.uploads import OffsetMismatch, Uploads, safe_name
from kakehashi.errors import BadInput, UsageError
from kakehashi.paths import Home
from kakehashi.settings import AppSettings

OWNER = "browser:aoki"
DOOR = Door(AppSettings(sign_in="none"), Accounts("http://127.0.0.1:1/v1", Path("none.key"), "test"))


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "incoming", limit_bytes=1 << 20)


def test_a_file_arrives_in_pieces_is_hashed_and_moves_into_a_job(uploads: Uploads, tmp_path: Path) -> None:
    incoming = uploads.begin(OWNER, "定例 会議.wav", purpose="recording", size=6)
    assert uploads.append(incoming, 0, b"abc") == 3
    assert uploads.append(incoming, 3, b"def") == 6
    done = uploads.finish(incoming, lambda path: None)
    folder = Jobs("testjobs", Home(tmp_path / "home").make()).create(OWNER)
    upload = uploads.claim(done, folder)
    assert (upload.name, upload.file, upload.size) == ("定例 会議.wav", "upload/recording/定例 会議.wav", 6)
    assert upload.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    assert (folder.root / upload.file).read_bytes() == b"abcdef"
    assert uploads.list(OWNER) == []


def test_a_broken_off_upload_goes_on_where_it_stopped(uploads: Uploads) -> None:
    first = uploads.begin(OWNER, "a.wav", purpose="recording", size=6, fingerprint="a|6|1")
    uploads.append(first, 0, b"abc")
    again = uploads.begin(OWNER, "a.wav", purpose="recording", size=6, fingerprint="a|6|1")
    assert (again.id, uploads.offset(again)) == (first.id, 3)
    with pytest.raises(OffsetMismatch) as error:
        uploads.append(again, 0, b"abc")
    assert error.value.offset == 3
    with pytest.raises(OffsetMismatch):
        uploads.finish(again, lambda path: None)


def test_a_recording_of_unknown_length_keeps_what_was_saved(uploads: Uploads) -> None:
    recording = uploads.begin(OWNER, "録音.webm", purpose="recording")
    uploads.append(recording, 0, b"sound")
    (left,) = uploads.list(OWNER)
    assert uploads.offset(left) == 5
    assert uploads.finish(left, lambda path: None).size == 5


def test_a_refused_file_is_told_by_its_own_name_and_removed(uploads: Uploads) -> None:
    def refuse(path: Path) -> None:
        raise BadInput(f"{path.name} is a program.", code="audio_wrong_type")

    incoming = uploads.begin(OWNER, "会議.wav", purpose="recording", size=2)
    uploads.append(incoming, 0, b"MZ")
    with pytest.raises(BadInput, match=r"会議\.wav is a program"):
        uploads.finish(incoming, refuse)
    assert uploads.list(OWNER) == []


@pytest.mark.parametrize(("size", "code"), [(0, "upload_empty"), (2 << 20, "upload_too_large")])
def test_a_hopeless_upload_is_refused_before_it_starts(uploads: Uploads, size: int, code: str) -> None:
    with pytest.raises(BadInput) as error:
        uploads.begin(OWNER, "a.wav", purpose="recording", size=size)
    assert error.value.code == code


def test_a_recording_stops_at_the_limit(uploads: Uploads) -> None:
    recording = uploads.begin(OWNER, "a.webm", purpose="recording")
    uploads.append(recording, 0, b"x" * (1 << 20))
    with pytest.raises(BadInput) as error:
        uploads.append(recording, 1 << 20, b"x")
    assert error.value.code == "upload_too_large"


def test_nobody_sees_or_continues_an_upload_of_somebody_else(uploads: Uploads) -> None:
    incoming = uploads.begin(OWNER, "a.wav", purpose="recording", size=3)
    assert uploads.list("browser:ueda") == []
    for upload_id in (incoming.id, "../x", "0" * 16):
        with pytest.raises(BadInput):
            uploads.get(upload_id, "browser:ueda")


def test_two_attachments_of_one_name_both_arrive(uploads: Uploads, tmp_path: Path) -> None:
    folder = Jobs("testjobs", Home(tmp_path / "home").make()).create(OWNER)
    files = []
    for content in (b"1", b"2"):
        incoming = uploads.begin(OWNER, "a.csv", purpose="evidence", size=1)
        uploads.append(incoming, 0, content)
        files.append(uploads.claim(uploads.finish(incoming, lambda path: None), folder).file)
    assert [(folder.root / f).read_bytes() for f in files] == [b"1", b"2"]


@given(st.text(max_size=300))
def test_any_name_becomes_one_harmless_file_name(name: str) -> None:
    safe = safe_name(name)
    assert safe and "/" not in safe and "\\" not in safe and safe not in (".", "..")
    assert not safe.startswith(".") and len(safe.encode()) <= 255


@pytest.mark.parametrize(
    ("name", "safe"),
    [("../../etc/passwd", "passwd"), ("C:\\会議.wav", "会議.wav"), ("a\u202egpj.exe", "a_gpj.exe"), ("", "file")],
)
def test_names_lose_folders_and_tricks(name: str, safe: str) -> None:
    assert safe_name(name) == safe


# --- over HTTP ---


@pytest.fixture
def client(uploads: Uploads) -> TestClient:
    def check(path: Path, purpose: str, _language: str) -> None:
        if path.read_bytes().startswith(b"MZ"):
            raise BadInput("It is a program.", code="upload_empty", values={"file": path.name})

    app = Starlette(routes=Transfer(uploads, DOOR, check).routes())
    return TestClient(app, cookies={COOKIE: "token"}, headers={GUARD: "ja"})


def begin(client: TestClient, **fields: object) -> dict[str, object]:
    answer: dict[str, object] = client.post("/api/uploads", json={"purpose": "recording", **fields}).json()
    return answer


def test_the_routes_take_a_file_in_pieces(client: TestClient) -> None:
    begun = begin(client, name="a.wav", size=6)
    assert begun["offset"] == 0
    path = f"/api/uploads/{begun['id']}"
    assert client.patch(f"{path}?offset=0", content=b"abc").json() == {"offset": 3}
    assert client.patch(f"{path}?offset=0", content=b"abc").status_code == 409
    assert client.patch(f"{path}?offset=3", content=b"def").json() == {"offset": 6}
    done = client.post(path).json()
    assert (done["name"], done["size"]) == ("a.wav", 6)
    assert client.delete(path).status_code == 204


def test_a_refusal_comes_in_the_language_of_the_page(client: TestClient) -> None:
    begun = begin(client, name="会議.wav", size=2)
    client.patch(f"/api/uploads/{begun['id']}?offset=0", content=b"MZ")
    answer = client.post(f"/api/uploads/{begun['id']}")
    assert answer.status_code == 400
    assert answer.json()["message"] == "「会議.wav」は空のファイルです（0バイト）。"
    assert client.post("/api/uploads", json={"name": "a", "purpose": "x", "size": 0}).json()["code"] == "upload_empty"


def test_a_form_of_another_site_and_a_stranger_get_nowhere(client: TestClient, uploads: Uploads) -> None:
    begun = begin(client, name="a.wav", size=3)
    path = f"/api/uploads/{begun['id']}"
    assert client.post("/api/uploads", json={"name": "a"}, headers={GUARD: ""}).status_code == 403
    stranger = TestClient(client.app, cookies={COOKIE: "other"}, headers={GUARD: "ja"})
    assert stranger.patch(f"{path}?offset=0", content=b"x").json()["code"] == "upload_unknown"
    nobody = TestClient(client.app, headers={GUARD: "ja"})
    assert nobody.post("/api/uploads", json={"name": "a"}).status_code == 401


def test_each_browser_gets_its_own_cookie_once() -> None:
    async def page(_request: Request) -> Response:
        return Response("page")

    client = TestClient(BrowserCookie(Starlette(routes=[Route("/", page), Route("/app.js", page)])))
    assert "set-cookie" not in client.get("/app.js").headers
    cookie = client.get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    assert "set-cookie" not in client.get("/").headers
    other = TestClient(client.app, headers={"x-forwarded-proto": "https"})
    second = other.get("/").headers["set-cookie"]
    assert "Secure" in second and second.split(";")[0] != cookie.split(";")[0]


# --- identity ---


def test_the_proxys_header_names_the_person_and_its_absence_is_refused() -> None:
    person = identify({"x-forwarded-user": "sato"}, {COOKIE: "t"}, "X-Forwarded-User")
    assert person is not None and (person.owner, person.name, person.fixed) == ("user:sato", "sato", True)
    with pytest.raises(UsageError) as error:
        identify({}, {COOKIE: "t"}, "X-Forwarded-User")
    assert error.value.code == "not_signed_in"


def test_without_a_proxy_the_browser_owns_its_jobs_and_no_header_can_pretend() -> None:
    person = identify({"x-forwarded-user": "boss"}, {COOKIE: "token"}, None)
    assert person is not None and person.owner.startswith("browser:") and "token" not in person.owner
    assert identify({}, {}, None) is None


def test_people_keep_their_choices(tmp_path: Path) -> None:
    people = People(tmp_path / "people")
    assert people.preferences("user:sato") == Preferences()
    people.save("user:sato", Preferences(name="佐藤", language="en"))
    assert people.preferences("user:sato").language == "en"
    assert people.preferences("user:tanaka") == Preferences()


# --- sound ---


def serve(path: Path, rate: int | None) -> TestClient:
    async def audio(request: Request) -> Response:
        return sound(request, path, "audio/wav", pcm_rate=rate)

    return TestClient(Starlette(routes=[Route("/audio", audio, methods=["GET", "HEAD"])]))


def test_bare_samples_come_out_as_a_wav_that_plays(tmp_path: Path) -> None:
    pcm = tmp_path / "a.pcm"
    pcm.write_bytes(bytes(range(256)) * 10)
    answer = serve(pcm, 16000).get("/audio")
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        assert file.readframes(10**6) == pcm.read_bytes()


@given(st.integers(1, 500), st.integers(0, 700), st.integers(0, 700))
def test_any_part_of_the_sound_is_that_part_of_the_whole(size: int, first: int, length: int) -> None:
    total = size + 44
    span = wanted_range(f"bytes={first}-{first + length}", total)
    assert span == ((first, min(first + length, total - 1)) if first < total else None)


def test_parts_across_the_header_and_the_end_are_right(tmp_path: Path) -> None:
    pcm = tmp_path / "a.pcm"
    pcm.write_bytes(bytes(range(200)))
    client = serve(pcm, 16000)
    whole = client.get("/audio").content
    for asked, expected in (("0-9", whole[:10]), ("40-60", whole[40:61]), ("100-", whole[100:]), ("-5", whole[-5:])):
        answer = client.get("/audio", headers={"range": f"bytes={asked}"})
        assert (answer.status_code, answer.content) == (206, expected)
    assert client.get("/audio", headers={"range": "bytes=9999-"}).status_code == 416
    assert client.head("/audio").headers["content-length"] == str(len(whole))
