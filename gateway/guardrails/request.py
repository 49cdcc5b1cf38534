"""The guard of one request and its answer: masks on the way in, checks and restores on the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gateway.guardrails.body import is_arguments, map_choice, map_message, map_request
from gateway.guardrails.holdback import LOOKBACK as _LOOKBACK
from gateway.guardrails.holdback import CheckedStream, RestoredStream, segments
from gateway.guardrails.masking import MaskMap
from gateway.guardrails.shadow import make_shadow
from gateway.guardrails.types import Blocked, Decision, Finding, Source, Stage, StreamGuard

if TYPE_CHECKING:
    from gateway.guardrails.engine import Engine, Ruleset

_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_KNOWN_LIMIT = 400_000  # characters of the request that answers are compared with


def _language(text: str, headers: Mapping[str, str]) -> str:
    """The language of messages: that of the text, else the first one the client accepts."""
    accepted = next((value for name, value in headers.items() if name.lower() == "accept-language"), "")
    return "ja" if _JAPANESE.search(text) or not accepted or accepted.lower().startswith("ja") else "en"


def _plain(text: str) -> str:
    """For "was this value in the request": shadow text without blanks."""
    return re.sub(r"[\s-]", "", make_shadow(text).text)


class Guard:
    """Implements ``RequestGuard``. Holds the mask map; nothing of it is ever logged."""

    def __init__(self, engine: Engine, rules: Ruleset, headers: Mapping[str, str]) -> None:
        self._engine = engine
        self._rules = rules
        self._headers = headers
        self._masks = MaskMap("-")
        self._texts: list[str] = []
        self._known: str | None = None  # the texts in their plain form, once it is asked for
        self._in_json = False
        self._streams: dict[tuple[object, ...], StreamGuard] = {}
        self.policy_ref = engine.ref
        self.decisions: list[Decision] = []

    # --- request ---

    def check_request(self, body: dict[str, Any]) -> dict[str, Any]:
        texts: list[str] = []

        def collect(text: str, source: Source = "user", trusted: bool = False) -> str:
            texts.append(text)
            return text

        map_request(body, collect, collect)
        self._masks = MaskMap.for_texts(texts)
        self._texts, self._known = texts, None
        self._in_json = _answers_json(body)
        return map_request(body, self._mask_input, self._mask_arguments)

    def _mask_input(self, text: str, source: Source, trusted: bool) -> str:
        findings = self._engine.examine(text, source, self._rules, "input")
        if trusted:
            findings = tuple(f for f in findings if f.type != "INJECTION")
        self._decide("input", findings)
        self._stop("input", text, findings)
        masked = [f for f in findings if f.action == "mask" and not f.shadow]
        return self._masks.mask(text, masked, self._rules.one_way)

    def _mask_arguments(self, arguments: str) -> str:
        """Tool calls of earlier turns: masked inside the JSON, so that it stays JSON."""
        return _in_json(arguments, lambda text: self._mask_input(text, "user", True))

    # --- answer ---

    def check_response(self, body: dict[str, Any]) -> dict[str, Any]:
        new = dict(body)
        if isinstance(body.get("choices"), list):
            new["choices"] = [self._choice(choice) for choice in body["choices"]]
        if isinstance(body.get("output"), list):
            new["output"] = [self._item(item) for item in body["output"]]
        return new

    def _choice(self, choice: Any) -> Any:
        if not isinstance(choice, dict):
            return choice
        try:
            return map_choice(choice, self._answer_text, self._answer_arguments)
        except Blocked:
            return _emptied(choice)

    def _item(self, item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        try:
            return map_message(item, self._answer_text, self._answer_arguments)
        except Blocked as blocked:
            kept = {name: item[name] for name in ("type", "id", "role", "call_id", "name") if name in item}
            return {**kept, "status": "incomplete", "content": [{"type": "refusal", "refusal": blocked.message}]}

    def _answer_text(self, text: str) -> str:
        checked = "".join(self._checked_segments(text))
        return self._masks.restore(checked, in_json=self._in_json)

    def _checked_segments(self, text: str) -> Iterator[str]:
        check, earlier = self._checker(), ""
        for segment in segments(text) if self._checks_output else [text]:
            yield check(earlier, segment)
            earlier = (earlier + segment)[-_LOOKBACK:]

    def _answer_arguments(self, arguments: str) -> str:
        """Arguments are checked as they are, then restored inside the JSON."""
        checked = self._checker()("", arguments)
        return _in_json(checked, self._masks.restore) if _is_json(checked) else self._masks.restore(checked, in_json=True)

    def stream(self, key: tuple[object, ...]) -> StreamGuard:
        if key not in self._streams:
            self._streams[key] = self._new_stream(key)
        return self._streams[key]

    def _new_stream(self, key: tuple[object, ...]) -> StreamGuard:
        if is_arguments(key):
            return _WholeStream(self._answer_arguments)
        if self._rules.profile.stream == "full" and self._checks_output:
            return _WholeStream(self._answer_text)
        restored = RestoredStream(self._masks, in_json=self._in_json)
        return _HeldStream(CheckedStream(self._checker()) if self._checks_output else None, restored)

    # --- shared ---

    @property
    def _checks_output(self) -> bool:
        return bool(self._rules.types["output"])

    def _checker(self) -> Callable[[str, str], str]:
        """The check of one text of the answer, segment by segment; it counts each finding once."""
        counted: set[tuple[int, str]] = set()
        position = 0

        def check(earlier: str, segment: str) -> str:
            nonlocal position
            offset = len(earlier)
            findings = [f for f in self._examine_output(earlier + segment) if f.end > offset]
            new = [f for f in findings if (position - offset + f.start, f.type) not in counted]
            counted.update((position - offset + f.start, f.type) for f in new)
            self._decide("output", new)
            self._stop("output", segment, findings)
            position += len(segment)
            masked = [_within(f, offset) for f in findings if f.action == "mask" and not f.shadow]
            return self._masks.mask(segment, masked, lambda _: True) if masked else segment

        return check

    def _examine_output(self, text: str) -> list[Finding]:
        """What is new in the answer: values that came with the request go back where they came from."""
        if not self._checks_output:
            return []
        findings = self._engine.examine(text, "user", self._rules, "output")
        return [f for f in findings if f.type in _ABOUT_WORDS or not self._came_in(text[f.start : f.end])]

    def _came_in(self, value: str) -> bool:
        if self._known is None:
            self._known = "\x00".join(_plain(text) for text in self._texts)[:_KNOWN_LIMIT]
        plain = _plain(value)
        return bool(plain) and plain in self._known

    def _decide(self, stage: Stage, findings: tuple[Finding, ...] | list[Finding]) -> None:
        """Count the findings into the decisions of the audit record: never the text."""
        for f in findings:
            same = (stage, f.rule, f.type, f.action, f.shadow)
            for index, d in enumerate(self.decisions):
                if (d.stage, d.rule, d.type, d.action, d.shadow) == same:
                    confidence = max(d.confidence, f.confidence)
                    self.decisions[index] = Decision(stage, f.rule, f.type, f.action, d.count + 1, confidence, f.shadow)
                    break
            else:
                self.decisions.append(Decision(stage, f.rule, f.type, f.action, 1, f.confidence, f.shadow))

    def _stop(self, stage: Stage, text: str, findings: tuple[Finding, ...] | list[Finding]) -> None:
        for f in findings:
            if f.action == "block" and not f.shadow:
                kind = "error" if f.rule.endswith(".error") else f.type
                message = self._engine.policy.message(kind, _language(text, self._headers))
                raise Blocked(stage, f.rule, f.type, message)


_ABOUT_WORDS = ("REGULATED_WORDING", "INJECTION")


def _within(finding: Finding, offset: int) -> Finding:
    """The part of a finding that lies in the current segment."""
    start = max(0, finding.start - offset)
    return Finding(start, finding.end - offset, finding.type, finding.rule, finding.confidence, finding.action)


def _emptied(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice of which nothing may be shown."""
    new = {**choice, "finish_reason": "content_filter"}
    if "text" in choice:
        new["text"] = ""
    if isinstance(choice.get("message"), dict):
        kept = {key: value for key, value in choice["message"].items() if key == "role"}
        new["message"] = {**kept, "content": ""}
    if "logprobs" in choice:
        new["logprobs"] = None
    return new


def _answers_json(body: dict[str, Any]) -> bool:
    """The answer's text will be JSON: restored values must be escaped."""
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema"):
        return True
    for holder in (body.get("text"), body.get("output_config")):  # responses, messages
        wanted = holder.get("format") if isinstance(holder, dict) else None
        if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema"):
            return True
    outputs = body.get("structured_outputs")
    return "guided_json" in body or (isinstance(outputs, dict) and "json" in outputs)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _in_json(text: str, change: Callable[[str], str]) -> str:
    """JSON text with every string changed, keys too; text that is no JSON is changed as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return change(text)
    new = _map_strings(value, change)
    return text if new == value else json.dumps(new, ensure_ascii=False)


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _map_strings(item, change) for key, item in value.items()}
    return value


class _HeldStream:
    """Holdback: checked segment by segment, restored as soon as it can be. Closed for good after a block."""

    def __init__(self, checked: CheckedStream | None, restored: RestoredStream) -> None:
        self._checked, self._restored = checked, restored
        self._closed = False

    def feed(self, text: str) -> str:
        if self._closed:
            return ""
        return self._restored.feed(self._guarded(lambda stream: stream.feed(text)) if self._checked else text)

    def finish(self, *, cut: bool = False) -> str:
        if self._closed:
            return ""
        last = self._guarded(lambda stream: stream.finish()) if self._checked else ""
        self._closed = True
        return self._restored.feed(last) + self._restored.finish()

    def _guarded(self, step: Callable[[CheckedStream], str]) -> str:
        assert self._checked is not None  # noqa: S101 - callers look first
        try:
            return step(self._checked)
        except Blocked:
            self._closed = True
            raise


class _WholeStream:
    """Everything is held until the end: arguments of tool calls, and profiles that ask for it."""

    def __init__(self, judge: Callable[[str], str]) -> None:
        self._judge = judge
        self._held: list[str] = []
        self._closed = False

    def feed(self, text: str) -> str:
        if not self._closed:
            self._held.append(text)
        return ""

    def finish(self, *, cut: bool = False) -> str:
        if self._closed:
            return ""
        self._closed = True
        return self._judge("".join(self._held))
