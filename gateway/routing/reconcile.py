"""Keeps the adapters that each engine has loaded equal to those that are wanted.

vLLM holds adapters in the memory of one process: each replica is told by itself, and told again after a restart. What
it really has is read from its list of models, never assumed; nothing is routed to an adapter that is not in that list
(``plan.Hop.serves``). Several gateways may do this at once: each step is harmless when another was quicker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Literal

import aiohttp
import orjson

from gateway.routing.adapters import AdapterFolder, is_adapter
from gateway.routing.pool import Pool
from gateway.routing.upstream import Upstream
from kakehashi.errors import KakehashiError

_LOG = logging.getLogger("gateway.adapters")
TICK_S = 0.25  # how soon a change of what an engine has is seen
QUIET_S = 2.0  # after a withdrawal: every gateway has heard of it by then, and sends nothing there any more
CALL_S = 120.0
_AGAIN_S, _LONGEST_AGAIN_S = 2.0, 60.0
_NOT_SERVED = "the engine does not load adapters: start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"

State = Literal["loaded", "pending", "failed", "unloading"]


@dataclass(slots=True)
class _Failure:
    reason: str
    pause_s: float
    until: float


class Reconciler:
    """``wanted``: adapter → digest of its folder; ``withdrawn``: adapter → when this process first knew of it
    (monotonic). Both are given by :meth:`aim`."""

    def __init__(self, pool: Pool, folder: AdapterFolder) -> None:
        self.pool, self.folder = pool, folder
        self._wanted: Mapping[str, str] = {}
        self._withdrawn: dict[str, float] = {}
        self._strange: dict[tuple[Upstream, str], float] = {}  # loaded by us, it seems, and not known: since when
        self._read_at = 0.0
        self._failures: dict[tuple[Upstream, str], _Failure] = {}
        self._busy: dict[Upstream, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def aim(self, wanted: Mapping[str, str], withdrawn: frozenset[str]) -> None:
        """From now on these are wanted, and those not."""
        now = time.monotonic()
        self._wanted = dict(wanted)
        self._withdrawn = {name: self._withdrawn.get(name, now) for name in withdrawn}
        self._strange = {}
        self._wake.set()

    def confirm(self) -> None:
        """What :meth:`aim` was told has just been read again. Without that nothing is unloaded: it may be outdated."""
        self._read_at = time.monotonic()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="adapters")

    async def close(self) -> None:
        tasks = [task for task in (self._task, *self._busy.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def standing(self, name: str) -> list[dict[str, str]]:
        """How an adapter stands on each engine: loaded, pending, failed (and why), unloading."""
        return [{"upstream": u.name, **self._state(u, name)} for u in self.pool.upstreams if self._concerns(u, name)]

    def _concerns(self, upstream: Upstream, name: str) -> bool:
        return name in self._wanted or name in (upstream.catalog.models or {})

    def _state(self, upstream: Upstream, name: str) -> dict[str, str]:
        state, reason = self._judged(upstream, name)
        return {"state": state, "reason": reason}

    def _judged(self, upstream: Upstream, name: str) -> tuple[State, str]:
        if upstream.health.state != "up":
            return "pending", f"the engine {upstream.health.reason}"
        failure = self._failures.get((upstream, name))
        if name in (upstream.catalog.models or {}):
            if name in self._wanted:
                return "loaded", ""
            return ("failed", failure.reason) if failure else ("unloading", "")
        if not upstream.catalog.vllm:
            return "failed", "it is no vLLM: only that loads adapters while it runs"
        return ("failed", failure.reason) if failure else ("pending", "")

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK_S)

    def _look(self) -> None:
        """See which engines have something to do; each does it in a task of its own, a slow one delays nobody."""
        here = set(self.pool.upstreams)
        for key in [key for key in self._failures if key[0] not in here or key[0].health.state != "up"]:
            del self._failures[key]  # an engine that was away is tried anew
        for upstream in here - self._busy.keys():
            if upstream.health.state == "up" and upstream.catalog.vllm and any(self._steps(upstream)):
                task = asyncio.create_task(self._settle(upstream), name=f"adapters-{upstream.name}")
                self._busy[upstream] = task
                task.add_done_callback(partial(self._done, upstream))

    def _done(self, upstream: Upstream, task: asyncio.Task[None]) -> None:
        self._busy.pop(upstream, None)
        if not task.cancelled() and (error := task.exception()):
            _LOG.error("The adapters of %s cannot be kept", upstream.name, exc_info=error)

    def _steps(self, upstream: Upstream) -> Iterator[tuple[Literal["load", "unload"], str]]:
        """What has to be done now: unload first, an engine has few places."""
        now, models = time.monotonic(), upstream.catalog.models or {}
        for name, model in models.items():
            if self._is_over(upstream, name, model, now) and self._may_try(upstream, name, now):
                yield "unload", name
        for name in self._wanted:
            if name not in models and self._may_try(upstream, name, now):
                yield "load", name

    def _is_over(self, upstream: Upstream, name: str, model: Mapping[str, Any], now: float) -> bool:
        """Whether a loaded model is an adapter of ours that nobody wants or uses."""
        if name in self._wanted or not is_adapter(name) or upstream.using.get(name):
            return False
        since = self._withdrawn.get(name)
        if since is None:  # not in the database at all
            if str(model.get("root") or "") != self._place(upstream, name):
                return False  # somebody else's
            since = self._strange.setdefault((upstream, name), now)
        return now - since >= QUIET_S and now - self._read_at < QUIET_S

    def _may_try(self, upstream: Upstream, name: str, now: float) -> bool:
        failure = self._failures.get((upstream, name))
        return failure is None or now >= failure.until

    async def _settle(self, upstream: Upstream) -> None:
        for step, name in list(self._steps(upstream)):
            failed = await (self._load(upstream, name) if step == "load" else self._unload(upstream, name))
            self._note(upstream, name, step, failed)
            await upstream.probe()
            if upstream.health.state != "up":
                return

    def _note(self, upstream: Upstream, name: str, step: str, failed: str) -> None:
        if not failed:
            self._failures.pop((upstream, name), None)
            _LOG.info("%s: %s %sed", upstream.name, name, step)
            return
        before = self._failures.get((upstream, name))
        pause = min(before.pause_s * 2, _LONGEST_AGAIN_S) if before else _AGAIN_S
        if before is None or before.reason != failed:
            _LOG.error("%s: %s cannot be %sed: %s", upstream.name, name, step, failed)
        self._failures[upstream, name] = _Failure(failed, pause, time.monotonic() + pause)

    # -- one engine ---------------------------------------------------------------------------------------------------

    async def _load(self, upstream: Upstream, name: str) -> str:
        """Why it failed; "" when it did not."""
        if self.folder.path(name).is_dir():  # else it lies on the engine's machine only
            try:
                found = await asyncio.to_thread(self.folder.check, name)
            except KakehashiError as error:
                return error.message
            if found != self._wanted.get(name):
                return "its folder was changed since it was approved; restore it, or give the new weights a new name"
        return await _told(
            upstream, "/load_lora_adapter", {"lora_name": name, "lora_path": self._place(upstream, name)}
        )

    async def _unload(self, upstream: Upstream, name: str) -> str:
        return await _told(upstream, "/unload_lora_adapter", {"lora_name": name})

    def _place(self, upstream: Upstream, name: str) -> str:
        """Where the engine sees the adapter."""
        return str(PurePosixPath(upstream.adapters_dir or self.folder.root) / name)


async def _told(upstream: Upstream, path: str, body: Mapping[str, str]) -> str:
    """Tell an engine; why it refused, "" when it did not. What is already so is no refusal."""
    try:
        async with asyncio.timeout(CALL_S):
            async with await upstream.post(path, orjson.dumps(body), {}) as answer:
                said = await answer.content.read(64 * 1024)
                status = answer.status
    except TimeoutError:
        return f"the engine did not answer within {CALL_S:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return f"the engine could not be asked ({type(error).__name__})"
    if status == 200:
        return ""
    message = _message(said)
    if "already been loaded" in message or (path.startswith("/unload") and "cannot be found" in message):
        return ""  # another gateway was quicker
    if status in (404, 405) and not message:
        return _NOT_SERVED
    return f"the engine answered {status}: {message[:500]}"


def _message(body: bytes) -> str:
    """What vLLM says in an error; "" for an answer that is not vLLM's own."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    error = told.get("error") if isinstance(told, dict) else None
    return str(error.get("message") or "") if isinstance(error, dict) else ""
