"""From a model's name to an upstream: aliases, lists, health, and what is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.errors import ApiError, BadRequest, Forbidden, NotFound, Unavailable
from gateway.identity.model import VirtualKey
from gateway.routing.addresses import base_url
from gateway.routing.attempts import Call, Try, another
from gateway.routing.plan import Plan, Target
from gateway.routing.pool import Pool
from gateway.routing.router import Router
from gateway.routing.upstream import Catalog, Upstream
from kakehashi.errors import ConfigError

KEY = VirtualKey(
    "key_1", "n", "kk_abc", "", "", None, None, None, None, False, datetime(2026, 1, 1, tzinfo=UTC), None, None
)  # fmt: skip
QWEN = {
    "id": "qwen",
    "object": "model",
    "created": 5,
    "owned_by": "vllm",
    "root": "/models/qwen",
    "max_model_len": 8192,
}
LORA = {"id": "fin@abc", "object": "model", "created": 6, "owned_by": "vllm", "root": "/lora", "parent": "qwen"}


def scoped(*models: str) -> VirtualKey:
    return replace(KEY, models=frozenset(models))


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("https://llm.bank.example/v1/", "https://llm.bank.example/v1"),
        ("http://proxy/openai/v2", "http://proxy/openai/v2"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_a_base_url_has_one_form(given: str, form: str) -> None:
    assert base_url(given) == form


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://x/v1", "file:///etc", "http://", "http://u:p@h/v1", "http://h/v1?k=1"]
)
def test_another_base_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.upstream"):
        base_url(url)


@pytest.mark.parametrize("listed", [None, 5, [], {}, {"data": None}, {"data": "x"}])
def test_an_answer_of_another_shape_is_no_list(listed: Any) -> None:
    assert Catalog.of(listed) == Catalog(None, False)


def test_a_list_tells_whether_it_is_vllm() -> None:
    assert Catalog.of({"data": [QWEN, {"id": 5}, "x"]}) == Catalog({"qwen": QWEN}, True)
    assert Catalog.of({"data": [{"id": "gpt", "owned_by": "openai"}]}).vllm is False


class Probed(Upstream):
    """An upstream whose next probe finds what the test says."""

    finds: Callable[[Upstream], None]

    async def probe(self) -> None:
        self.finds(self)


def up(*models: dict[str, Any]) -> Callable[[Upstream], None]:
    def found(upstream: Upstream) -> None:
        upstream.health.up()
        upstream.catalog = Catalog.of({"data": list(models)})

    return found


def unlisted(upstream: Upstream) -> None:
    upstream.health.up()
    upstream.catalog = Catalog()


def down(upstream: Upstream) -> None:
    upstream.health.down("refuses connections")


async def router(*finds: Callable[[Upstream], None], aliases: dict[str, str] | None = None) -> Router:
    upstreams = []
    for number, found in enumerate(finds):
        upstreams.append(Probed(f"u{number}", "http://h"))
        upstreams[-1].finds = found
    pool = Pool(upstreams)
    await pool.refresh()
    pool._asked.set()
    return Router(pool, {alias: Plan(alias, (Target(model),)) for alias, model in (aliases or {}).items()})


async def resolved(router: Router, name: str, key: VirtualKey = KEY) -> str:
    return (await router.resolve(name, key)).model


class TestNames:
    async def test_of_the_list_and_aliases(self) -> None:
        routes = await router(up(QWEN, LORA), aliases={"summaries": "fin@abc"})
        assert await resolved(routes, "qwen") == "qwen"
        assert await resolved(routes, "summaries") == "fin@abc"
        assert await resolved(routes, "default") == "qwen"

    async def test_default_can_be_an_alias_like_any_other(self) -> None:
        assert await resolved(await router(up(QWEN, LORA), aliases={"default": "fin@abc"}), "default") == "fin@abc"

    async def test_that_nobody_serves_are_not_found(self) -> None:
        routes = await router(up(QWEN), aliases={"old": "gone"})
        for name in ("gpt-4", "old"):
            with pytest.raises(NotFound) as caught:
                await routes.resolve(name, KEY)
            assert (caught.value.code, caught.value.param) == ("model_not_found", "model")

    async def test_pass_as_asked_when_upstream_has_no_list(self) -> None:
        routes = await router(unlisted, aliases={"a": "b"})
        assert [await resolved(routes, name) for name in ("anything", "a", "default")] == ["anything", "b", "default"]

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "/abs", "a b", "日本", "x" * 201, "a/../b", "-x"])
    async def test_that_could_be_paths_are_refused(self, name: str) -> None:
        with pytest.raises(BadRequest):
            await (await router(unlisted)).resolve(name, KEY)

    async def test_just_loaded_are_found_without_waiting(self) -> None:
        routes = await router(up(QWEN))
        upstream = routes.pool.upstreams[0]
        assert isinstance(upstream, Probed)
        upstream.finds = up(QWEN, LORA)
        assert await resolved(routes, "fin@abc") == "fin@abc"

    async def test_are_bounded_by_the_keys_scope(self) -> None:
        routes = await router(up(QWEN, LORA))
        assert await resolved(routes, "default", scoped("default")) == "qwen"
        assert await resolved(routes, "default", scoped("qwen")) == "qwen"
        for name in ("qwen", "fin@abc"):
            with pytest.raises(Forbidden) as caught:
                await routes.resolve(name, scoped("default"))
            assert caught.value.code == "model_not_allowed"


class TestList:
    async def test_shows_models_and_aliases_but_no_paths(self) -> None:
        models = await (await router(up(QWEN, LORA), aliases={"a": "qwen", "b": "gone"})).models(KEY)
        assert [model["id"] for model in models] == ["qwen", "fin@abc", "a", "default"]
        assert "/models" not in str(models) and models[1]["parent"] == "qwen" and models[0]["max_model_len"] == 8192
        assert all(model["object"] == "model" and {"created", "owned_by"} <= model.keys() for model in models)

    async def test_shows_what_the_key_may_use(self) -> None:
        routes = await router(up(QWEN, LORA))
        assert [m["id"] for m in await routes.models(scoped("default"))] == ["default"]
        assert [m["id"] for m in await routes.models(scoped("qwen"))] == ["qwen", "default"]

    async def test_of_an_upstream_that_never_was_up_is_an_error(self) -> None:
        with pytest.raises(Unavailable, match="refuses connections"):
            await (await router(down)).models(KEY)

    async def test_is_remembered_when_upstream_goes_down(self) -> None:
        routes = await router(up(QWEN))
        routes.pool.upstreams[0].health.down("gone")
        assert [m["id"] for m in await routes.models(KEY)] == ["qwen", "default"]


async def test_while_upstream_is_down_it_is_said_rather_than_not_found() -> None:
    with pytest.raises(Unavailable) as caught:
        await (await router(down)).resolve("qwen", KEY)
    assert caught.value.headers["retry-after"] == "2"


class TestPool:
    async def pick(self, routes: Router, tried: list[Upstream], name: str = "qwen") -> str:
        route = await routes.resolve(name, KEY)
        call = Call("/x", route.hops, lambda upstream, hop: b"", "req")
        call.tries += [Try(number, route.hops[0], upstream) for number, upstream in enumerate(tried)]
        found = another(routes.pool.upstreams, call, "unreachable", 0) if tried else routes.pool.choose(call)
        assert found is not None
        return found[1].name

    async def test_never_takes_one_that_has_much_more_to_do(self) -> None:
        routes = await router(up(QWEN), up(QWEN))
        for busy, free in ((0, 1), (1, 0)):
            routes.pool.upstreams[busy].in_flight, routes.pool.upstreams[free].in_flight = 5, 0
            assert await self.pick(routes, []) == f"u{free}"

    async def test_takes_only_those_that_are_up_and_serve_the_model(self) -> None:
        routes = await router(up(QWEN), up(LORA), down)
        assert await self.pick(routes, []) == "u0"
        assert await self.pick(routes, [], "fin@abc") == "u1"
        assert await self.pick(routes, [routes.pool.upstreams[0]]) == "u0"

    async def test_tries_another_before_the_same_again(self) -> None:
        routes = await router(up(QWEN), up(QWEN))
        first = routes.pool.upstreams[0]
        first.health.down("refuses connections")
        assert await self.pick(routes, [first]) == "u1"

    async def test_sends_nowhere_when_all_are_down(self) -> None:
        routes = await router(up(QWEN))
        routes.pool.upstreams[0].health.down("refuses connections")
        with pytest.raises(ApiError, match="refuses connections"):
            await self.pick(routes, [])


class TestHealth:
    def test_a_busy_engine_is_not_down_because_its_list_is_late(self) -> None:
        upstream = Upstream("u", "http://h")
        upstream.health.up()
        upstream.in_flight = 1
        for _ in range(10):
            upstream._silent()
        assert upstream.health.state == "up"
        upstream.in_flight = 0
        upstream._silent()
        assert upstream.health.state == "down"

    @pytest.mark.parametrize(
        ("status", "state"), [(200, "up"), (404, "up"), (500, "up"), (401, "down"), (502, "down"), (503, "down")]
    )
    def test_by_the_status_of_the_probe(self, status: int, state: str) -> None:
        upstream = Upstream("u", "http://h")
        upstream._learn(status, b"not json")
        assert upstream.health.state == state
