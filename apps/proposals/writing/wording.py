"""Regulated wording: all texts go through the gateway's guard; what it objects to is replaced or flagged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import openai

from apps.proposals.language import pick
from apps.proposals.model import Deck, Finding, Slide, TextBlock
from kakehashi.errors import KakehashiError, NotReady, UpstreamError

PROFILE = "proposals"


class Scanner(Protocol):
    """One answer per text: the findings of the guard, and the policy's name."""

    def scan(self, texts: list[str]) -> tuple[list[list[dict[str, Any]]], str]: ...


class GuardScanner:
    """``POST /v1/guard/scan`` over plain HTTP. Raises NotReady when there is no such surface or no gateway."""

    def __init__(self, base_url: str, key: str, *, timeout_s: float = 30.0) -> None:
        self._client = openai.OpenAI(base_url=base_url, api_key=key, timeout=timeout_s, max_retries=1)

    def scan(self, texts: list[str]) -> tuple[list[list[dict[str, Any]]], str]:
        body = {"inputs": [{"text": t, "source": "user"} for t in texts], "profile": PROFILE}
        try:
            answer: Any = self._client.post("/guard/scan", cast_to=object, body=body)
        except openai.NotFoundError as error:
            raise NotReady(
                "The server has no wording check.", hint="Use the Kakehashi gateway.", code="no_guard"
            ) from error
        except openai.APIConnectionError as error:
            raise NotReady(
                "The gateway cannot be reached.", hint="Check `kakehashi status`.", code="gateway_down"
            ) from error
        except openai.APIStatusError as error:
            raise UpstreamError(f"The wording check answered {error.status_code}.", code="guard_error") from error
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list) or len(results) != len(texts):
            raise UpstreamError("The wording check gave no usable answer.", code="guard_error")
        return [list(r.get("findings") or []) for r in results], str(answer.get("policy") or "")


@dataclass
class _Spot:
    slide: Slide
    text: str
    block: TextBlock | None = None


def check_wording(
    deck: Deck, scanner: Scanner | None, titles: Mapping[str, str]
) -> tuple[list[Finding], str, KakehashiError | None, str]:
    """Findings ``wording.*``, the stage (done, failed, not_run), the error that kept the check away, the policy.

    A model's sentence that breaks a rule is taken out, its title replaced by that of the rules (``titles`` by slide);
    anything else is flagged.
    The notices of the registry are statutory phrases and are not judged.
    """
    language = deck.language
    if scanner is None:
        return [_not_run(language, "")], "not_run", None, ""
    spots = [_Spot(s, s.title) for s in deck.slides] + [
        _Spot(s, b.text, b) for s in deck.slides if s.kind != "notes" for b in s.body
    ]
    spots += [_Spot(s, cell) for s in deck.slides if s.table for row in s.table.rows for cell in row]
    spots += [_Spot(s, s.notes) for s in deck.slides if s.kind != "notes"]
    spots = [spot for spot in spots if spot.text.strip()]
    try:
        results, policy = scanner.scan([spot.text for spot in spots])
    except KakehashiError as error:
        return [_not_run(language, error.message)], "failed", None if error.code == "no_guard" else error, ""
    findings = [f for spot, found in zip(spots, results, strict=True) for f in _judge(spot, found, language, titles)]
    return list({(f.slide, f.rule, f.message, f.status): f for f in findings}.values()), "done", None, policy


def _judge(spot: _Spot, found: list[dict[str, Any]], language: str, titles: Mapping[str, str]) -> list[Finding]:
    hits = [h for h in found if h.get("type") == "REGULATED_WORDING"]
    made = []
    for hit in hits:
        words = spot.text[int(hit.get("start", 0)) : int(hit.get("end", 0))]
        status: Literal["open", "fixed"] = "fixed" if _withdraw(spot, titles) else "open"
        message = _explained(words, hit, language)
        made.append(
            Finding(
                slide=spot.slide.id, rule=f"wording.{hit.get('rule')}", severity="warn", message=message, status=status
            )
        )
    return made


def _explained(words: str, hit: Mapping[str, Any], language: str) -> str:
    """What is objected to, by which rule and law, and how to say it instead, as far as the guard tells."""
    law, advice = str(hit.get("law") or ""), str(hit.get("suggestion") or "")
    basis = ("、" if language == "ja" else ", ").join(t for t in (str(hit.get("rule") or ""), law) if t)
    told = pick(
        language,
        f"表現「{words}」は規制上の問題となるおそれがあります（{basis}）。",
        f"The wording '{words}' may break a rule ({basis}).",
    )
    return told + (pick(language, f" 言い換え：{advice}", f" Suggestion: {advice}") if advice else "")


def _withdraw(spot: _Spot, titles: Mapping[str, str]) -> bool:
    """Take the model's words off the slide; False when they are the brief's or the rules'."""
    slide, block = spot.slide, spot.block
    if block is not None and block.origin and block.origin.source == "model":
        slide.body[:] = [b for b in slide.body if b is not block]
        return True
    by_model = slide.origin is not None and slide.origin.source == "model"
    if block is None and by_model and spot.text == slide.title and slide.id in titles:
        slide.title, slide.origin = titles[slide.id], None
        return True
    return False


def _not_run(language: str, reason: str) -> Finding:
    detail = f"（{reason}）" if reason and language == "ja" else f" ({reason})" if reason else ""
    return Finding(
        slide="",
        rule="wording_not_checked",
        severity="warn",
        message=pick(
            language,
            f"規制表現の確認を実行できませんでした{detail}。公開前に確認してください。",
            f"The wording check did not run{detail}.",
        ),
    )


__all__ = ["GuardScanner", "Scanner", "check_wording"]
