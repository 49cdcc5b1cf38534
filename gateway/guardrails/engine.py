"""Runs the detectors that a profile asks for and turns their hits into findings and a verdict."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.guardrails import injection, wording
from gateway.guardrails.detectors import PERSONAL_DATA, Detector, Need, resolve
from gateway.guardrails.masking import MaskMap
from gateway.guardrails.policy import ALWAYS_ONE_WAY, Policy, Profile, TypePolicy
from gateway.guardrails.request import Guard
from gateway.guardrails.types import Action, Finding, RequestGuard, Source, Verdict
from gateway.guardrails.view import Hit, View
from gateway.guardrails.wording.law import BASIS

_RANK: dict[Action, int] = {"allow": 0, "flag": 1, "mask": 2, "block": 3}
_CACHED = 256  # texts whose findings (places only, never words) are remembered: apps send the same text many times

Types = Mapping[str, TypePolicy]
Scope = Literal["input", "output", "both"]


@dataclass(frozen=True)
class Ruleset:
    """A profile made ready: for each scope the types that are looked for."""

    name: str
    profile: Profile
    types: Mapping[Scope, Types]
    detectors: Mapping[Scope, Sequence[tuple[str, str, Detector, Need]]]  # of personal data: those that are asked for

    @classmethod
    def of(cls, name: str, profile: Profile) -> Ruleset:
        """``both`` is what ``guard scan`` looks for; the input's word comes first."""
        scopes = {"input": profile.input, "output": profile.output, "both": {**profile.output, **profile.input}}
        wanted = {scope: {t: p for t, p in types.items() if p.action != "allow"} for scope, types in scopes.items()}
        detectors = {
            scope: [(name, *entry) for name, entry in PERSONAL_DATA.items() if entry[0] in types]
            for scope, types in wanted.items()
        }
        return cls(name, profile, wanted, detectors)  # type: ignore[arg-type]

    def one_way(self, finding: Finding) -> bool:
        policies = [types[finding.type] for types in self.types.values() if finding.type in types]
        return finding.type in ALWAYS_ONE_WAY or any(policy.one_way for policy in policies)


def strongest(findings: Iterable[Finding]) -> Action:
    """The action of the verdict: findings in shadow do not count."""
    actions: list[Action] = [f.action for f in findings if not f.shadow]
    return max(actions, key=lambda action: _RANK[action], default="allow")


class Engine:
    """A loaded policy (implements ``Guardrails``). Safe to share between requests and threads."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.ref = policy.ref
        self._rulesets = {name: Ruleset.of(name, policy.profile(name)) for name in policy.profiles}
        self._seen: OrderedDict[bytes, tuple[Finding, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def ruleset(self, profile: str | None) -> Ruleset:
        """Raises ConfigError for a profile that the policy does not have."""
        found = self._rulesets.get(profile or self.policy.default_profile)
        return found or Ruleset.of(str(profile), self.policy.profile(profile))

    def request(self, profile: str | None = None, *, headers: Mapping[str, str] | None = None) -> RequestGuard:
        return Guard(self, self.ruleset(profile), headers or {})

    def scan(self, text: str, *, source: Source = "user", profile: str | None = None) -> Verdict:
        """Everything that the profile looks for in requests or answers, on one text."""
        findings = self.examine(text, source, self.ruleset(profile), "both")
        if any(failed(f) for f in findings):
            return Verdict("block", "", findings)
        masked = [f for f in findings if f.action == "mask" and not f.shadow]
        return Verdict(strongest(findings), MaskMap().mask(text, masked, lambda _: True), findings)

    def examine(self, text: str, source: Source, rules: Ruleset, scope: Scope) -> tuple[Finding, ...]:
        """The findings on a text, in order; the same text under the same rules is examined once."""
        if not text or text.isspace():
            return ()
        salt = f"{rules.name}/{scope}/{source}/".encode()
        key = hashlib.blake2b(salt + text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            known = self._seen.get(key)
        if known is None:
            known = self._examine(View.of(text, source, self.policy.customer_labels), rules, scope)
            with self._lock:
                self._seen[key] = known
                while len(self._seen) > _CACHED:
                    self._seen.popitem(last=False)
        return known

    def _examine(self, view: View, rules: Ruleset, scope: Scope) -> tuple[Finding, ...]:
        types = rules.types[scope]
        hits: list[Hit] = []
        for name, type_, detector, need in rules.detectors[scope]:
            if need == "" or getattr(view, need):
                hits += _run(name, type_, detector, view)
        if hits:
            hits = resolve(hits)
        if "INJECTION" in types:
            hits += _run("injection", "INJECTION", injection.detect, view)
        if "REGULATED_WORDING" in types:
            hits += _run("wording", "REGULATED_WORDING", wording.detect, view)
            if scope == "both" and rules.profile.disclosures:
                hits += _run("wording", "REGULATED_WORDING", wording.disclosures, view)
        if not hits:
            return ()
        found = (_finding(view, hit, rules.profile, types[hit.type]) for hit in hits)
        return tuple(sorted((f for f in found if f), key=lambda f: (f.start, f.end)))


def _run(name: str, type_: str, detector: Callable[[View], Iterable[Hit]], view: View) -> list[Hit]:
    """One detector, failing closed: an error becomes a finding over the whole text."""
    try:
        return list(detector(view))
    except Exception:  # noqa: BLE001 - whatever went wrong, the text counts as not checked
        return [Hit(0, len(view.text), type_, f"{name}.error", 1.0)]


def failed(finding: Finding) -> bool:
    """The finding stands for a detector that failed, and its type fails closed."""
    return finding.rule.endswith(".error") and finding.action == "block"


def _finding(view: View, hit: Hit, profile: Profile, policy: TypePolicy) -> Finding | None:
    """The hit with the action that the policy takes, on the original text; None below the threshold."""
    if hit.rule.endswith(".error"):
        failure: Action = "flag" if policy.on_error == "flag" else "block"
        return Finding(0, len(view.shadow.original), hit.type, hit.rule, 1.0, failure)
    special = next((rule for prefix, rule in profile.rules.items() if hit.rule.startswith(prefix)), None)
    threshold = policy.threshold_for(view.source)
    action: Action = "block" if policy.blocks(hit.confidence, view.source) else policy.action
    shadow = policy.shadow
    if special is not None:
        threshold = threshold if special.threshold is None else special.threshold
        action = special.action or action
        shadow = shadow if special.shadow is None else special.shadow
    if hit.confidence < threshold or (special is not None and special.off):
        return None
    start, end = view.shadow.span(hit.start, hit.end)
    law, suggestion = BASIS.get(hit.rule, ("", ""))
    return Finding(start, end, hit.type, hit.rule, hit.confidence, action, shadow, law, suggestion)
