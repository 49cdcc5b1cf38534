"""Virtual keys: made, stored as a hash, verified, revoked within a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Conflict, NotFound, Unauthorized, Unavailable
from gateway.identity import keys
from gateway.identity.keyring import USABLE_S, KeyRing
from gateway.identity.keys import KeySpec, expiry, mint, redact, span, well_formed
from gateway.identity.model import VirtualKey
from gateway.identity.store import IdentityStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from kakehashi.errors import UsageError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IdentityStore]:
    engine = open_database(f"sqlite:///{tmp_path}/g.db")
    prepare(engine)
    yield IdentityStore(engine)
    engine.dispose()


class TestKey:
    def test_is_random_well_formed_and_never_printed_by_accident(self) -> None:
        one, other = mint(), mint()
        assert one.key != other.key and well_formed(one.key)
        assert one.digest == keys.digest(one.key) and len(one.digest) == 64
        assert one.key not in repr(one) and one.key.startswith(one.prefix) and len(one.prefix) == 10

    @given(st.text())
    def test_of_another_shape_is_none(self, text: str) -> None:
        assert not well_formed(text)
        assert not well_formed("kk_" + text) or len(text) == 43

    @given(st.text(alphabet="ab-_ .あ\n", max_size=20), st.text(alphabet="ab-_ .あ\n", max_size=20))
    def test_is_redacted_wherever_it_stands(self, before: str, after: str) -> None:
        key = mint().key
        assert key[10:30] not in redact(before + key + after)

    def test_other_text_is_left_alone(self) -> None:
        assert redact("kk_ is the prefix of keys") == "kk_ is the prefix of keys"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("30d", NOW + timedelta(days=30)),
        ("12h", NOW + timedelta(hours=12)),
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31T09:00:00+09:00", datetime(2026, 12, 31, tzinfo=UTC)),
        ("2026-12-31T09:00:00", datetime(2026, 12, 31, 9, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_span_or_a_date(text: str | None, moment: datetime | None) -> None:
    assert expiry(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["soon", "30", "2020-01-01", "0d", "-1d", "2026-13-01", "9999-12-31", "99999999d", "٣d"]
)
def test_another_expiry_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        expiry(text, NOW)


def test_a_span_alone() -> None:
    assert span(None) == timedelta(0) and span("90m") == timedelta(minutes=90)
    with pytest.raises(UsageError):
        span("2026-12-31")


@pytest.mark.parametrize("spec", [{"name": " "}, {"name": "x" * 101}, {"rpm": 0}, {"tpm": -1}, {"models": ()}])
def test_a_key_that_makes_no_sense_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        KeySpec(**{"name": "n", **spec})  # type: ignore[arg-type]


class TestStore:
    def test_keeps_everything_but_the_key(self, store: IdentityStore, tmp_path: Path) -> None:
        team = store.create_team("営業部")
        spec = KeySpec("名前", "営業部", ("a", "b"), "strict", 5, 500, True, NOW + timedelta(days=1))
        made, secret = store.create_key(spec)
        found = store.find_by_digest(secret.digest)
        assert found == made == store.key(made.id)
        assert (made.team, made.team_id, made.models) == ("営業部", team.id, frozenset({"a", "b"}))
        assert (made.profile, made.rpm, made.tpm, made.admin) == ("strict", 5, 500, True)
        assert made.expires_at == NOW + timedelta(days=1)
        for file in tmp_path.iterdir():
            assert secret.key.encode() not in file.read_bytes()
        assert secret.key not in repr(made) and secret.key not in str(made.public(NOW))

    def test_states(self, store: IdentityStore) -> None:
        made, _ = store.create_key(KeySpec("n", expires_at=NOW))
        assert made.state(NOW - timedelta(seconds=1)) == "active" and made.state(NOW) == "expired"
        assert store.revoke_key(made.id).state(datetime.now(UTC)) == "revoked"
        assert store.revoke_key(made.id).revoked_at == store.key(made.id).revoked_at

    def test_lists_newest_first_by_team_and_prefix(self, store: IdentityStore) -> None:
        store.create_team("a")
        first, secret = store.create_key(KeySpec("one", "a"))
        second, _ = store.create_key(KeySpec("two"))
        found = store.keys()
        assert [key.id for key in found] == [second.id, first.id]
        assert [key.id for key in store.keys(team="a")] == [first.id]
        assert [key.id for key in store.keys(prefix=secret.key)] == [first.id]

    def test_changes_only_what_is_asked(self, store: IdentityStore) -> None:
        made, _ = store.create_key(KeySpec("n", rpm=5, tpm=7))
        changed = store.change_key(made.id, {"rpm": None, "models": ("m",)})
        assert (changed.rpm, changed.tpm, changed.models) == (None, 7, frozenset({"m"}))
        for bad in ({"rpm": 0}, {"digest": "x"}, {"admin": True}, {"models": ()}):
            with pytest.raises(UsageError):
                store.change_key(made.id, bad)

    def test_rotation_keeps_scopes_and_ends_the_old_key(self, store: IdentityStore) -> None:
        made, secret = store.create_key(KeySpec("n", models=("m",), rpm=3))
        new, new_secret = store.rotate_key(made.id)
        assert (new.models, new.rpm, new.name) == (made.models, 3, "n") and new_secret.key != secret.key
        assert store.key(made.id).state(datetime.now(UTC)) == "revoked"
        with pytest.raises(UsageError, match="revoked"):
            store.rotate_key(made.id)

    def test_rotation_with_overlap_never_lengthens_a_key(self, store: IdentityStore) -> None:
        soon = datetime.now(UTC) + timedelta(minutes=5)
        made, _ = store.create_key(KeySpec("n", expires_at=soon))
        store.rotate_key(made.id, timedelta(hours=1))
        assert store.key(made.id).expires_at == soon
        free, _ = store.create_key(KeySpec("n"))
        store.rotate_key(free.id, timedelta(hours=1))
        assert store.key(free.id).state(datetime.now(UTC)) == "active"
        assert store.key(free.id).state(datetime.now(UTC) + timedelta(hours=2)) == "expired"

    def test_teams(self, store: IdentityStore) -> None:
        team = store.create_team("営業")
        with pytest.raises(Conflict):
            store.create_team("営業")
        assert store.change_team("営業", {"name": "営業部"}).id == team.id
        store.create_key(KeySpec("n", team.id))
        with pytest.raises(Conflict, match="has keys"):
            store.delete_team("営業部")
        assert store.delete_team(store.create_team("空").id).name == "空"
        assert [t.name for t in store.teams()] == ["営業部"]
        with pytest.raises(UsageError):
            store.create_team("")

    def test_what_is_not_there_is_said(self, store: IdentityStore) -> None:
        for act in (store.key, store.revoke_key, store.rotate_key, store.team, store.delete_team):
            with pytest.raises(NotFound, match="nope' OR 1=1"):
                act("nope' OR 1=1")  # type: ignore[operator]
        with pytest.raises(NotFound):
            store.create_key(KeySpec("n", team="nope"))


class Books:
    """A look-up by digest that counts, and can fail."""

    def __init__(self, store: IdentityStore) -> None:
        self.store, self.asked, self.down = store, 0, False

    def find(self, digest: str) -> VirtualKey | None:
        self.asked += 1
        if self.down:
            raise Unavailable("gone", code="database_unavailable")
        return self.store.find_by_digest(digest)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class TestKeyRing:
    @pytest.fixture
    def books(self, store: IdentityStore) -> Books:
        return Books(store)

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def ring(self, books: Books, clock: Clock) -> KeyRing:
        return KeyRing(books.find, clock)

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            (None, "missing_api_key"),
            ("", "missing_api_key"),
            ("Basic abc", "missing_api_key"),
            ("Bearer", "missing_api_key"),
            ("Bearer sk-something", "invalid_api_key"),
            ("Bearer kk_" + "a" * 43, "invalid_api_key"),
            ("Bearer kk_日本", "invalid_api_key"),
        ],
    )
    async def test_no_key_and_wrong_keys_are_told_apart(self, ring: KeyRing, header: str | None, code: str) -> None:
        with pytest.raises(Unauthorized) as caught:
            await ring.verify(header)
        assert caught.value.code == code
        if header and " " in header:
            assert header.split()[-1] not in caught.value.message

    async def test_ended_keys_are_told_apart(self, ring: KeyRing, store: IdentityStore) -> None:
        gone, secret = store.create_key(KeySpec("n"))
        store.revoke_key(gone.id)
        _, old = store.create_key(KeySpec("n", expires_at=NOW - timedelta(days=400)))
        for key, code in ((secret.key, "revoked_api_key"), (old.key, "expired_api_key")):
            with pytest.raises(Unauthorized) as caught:
                await ring.verify(f"Bearer {key}")
            assert caught.value.code == code and key not in caught.value.message

    async def test_many_requests_ask_the_database_once(self, ring: KeyRing, store: IdentityStore, books: Books) -> None:
        made, secret = store.create_key(KeySpec("n"))
        found = await asyncio.gather(*(ring.verify(f"bearer {secret.key}") for _ in range(50)))
        assert {key.id for key in found} == {made.id} and books.asked == 1

    async def test_revoking_works_within_a_second(self, ring: KeyRing, store: IdentityStore, clock: Clock) -> None:
        made, secret = store.create_key(KeySpec("n"))
        await ring.verify(f"Bearer {secret.key}")
        store.revoke_key(made.id)
        clock.now += USABLE_S
        assert USABLE_S < 1
        with pytest.raises(Unauthorized, match="revoked"):
            await ring.verify(f"Bearer {secret.key}")

    async def test_forgetting_works_at_once(self, ring: KeyRing, store: IdentityStore) -> None:
        made, secret = store.create_key(KeySpec("n"))
        await ring.verify(f"Bearer {secret.key}")
        store.revoke_key(made.id)
        ring.forget()
        with pytest.raises(Unauthorized):
            await ring.verify(f"Bearer {secret.key}")

    async def test_a_database_that_is_gone_opens_no_door(
        self, ring: KeyRing, store: IdentityStore, books: Books, clock: Clock
    ) -> None:
        _, secret = store.create_key(KeySpec("n"))
        await ring.verify(f"Bearer {secret.key}")
        books.down = True
        await ring.verify(f"Bearer {secret.key}")
        clock.now += USABLE_S
        with pytest.raises(Unavailable):
            await ring.verify(f"Bearer {secret.key}")
        books.down = False
        assert await ring.verify(f"Bearer {secret.key}")
