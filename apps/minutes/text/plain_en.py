"""Spoken English as a short written clause: Miguel, can you send them the quote? → Send them the quote."""

from __future__ import annotations

import re

_LEAD = re.compile(
    r"^(?:(?:okay|ok|so|well|right|all right|alright|great|perfect|sure|yes|yeah|thanks|thank you|and|but|then|now|also|agreed|good"
    r"|sounds good|no problem|fine|noted|i think|i guess|actually|basically|one more thing)\b[\s,.:;!-]*)+",
    re.IGNORECASE,
)
_ASK = re.compile(
    r"^(?:(?:can|could|would|will) you(?: please| also| maybe)?|please(?: also)?|i(?:'d| would) like you to|i (?:want|need) you to"
    r"|you(?:'ll| will)? (?:need|have) to|make sure (?:to|you)|(?:somebody|someone|who) (?:needs to|should|has to|can|will)"
    r"|(?:is|will be) responsible for|needs to|has to|should|will|to)\s+",
    re.IGNORECASE,
)
_COMMIT = re.compile(
    r"^(?:i'll|i will|i can|i'm going to|i am going to|i shall|let me|we'll|we will|my team will|our team will)(?: also| then)?\s+",
    re.IGNORECASE,
)
_DECIDE = re.compile(
    r"^(?:(?:we|we've|we have|the (?:board|committee|team)(?: has)?|it's|it is|that's)\s?(?:all )?(?:decided|agreed|resolved|settled)"
    r"(?: (?:to|that|on))?|let's|we should|we need to|we will|we'll|we are going to|we're going to|we are|we're|(?:the )?(?:final )?decision is(?: to| that)?)\s+",
    re.IGNORECASE,
)
_PROPOSE = re.compile(
    r"^(?:(?:maybe |perhaps )?(?:we (?:could|should|can|might)(?: just)?|should we|shall we|how about|what about|what if we|why don't we"
    r"|i(?:'d| would)? (?:suggest|propose)(?: that)?(?: we)?|one option (?:would be|is) to|i'd like (?:us )?to))\s+",
    re.IGNORECASE,
)
_CERTAINLY = re.compile(r"^no,\s*", re.IGNORECASE)


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(" ,.;:!?-")
    return text[:1].upper() + text[1:] if text else text


def _strip(text: str, *patterns: re.Pattern[str]) -> str:
    text = _LEAD.sub("", text.strip())
    for pattern in patterns:
        text = pattern.sub("", text, count=1)
    return _tidy(text)


def task_text(text: str) -> str:
    """The task of a request or promise, from its verb on."""
    return _strip(text, _ASK, _COMMIT)


def decision_text(text: str) -> str:
    """A decision without "so, let's", "we have decided to"; Fine, Leeds then. → Leeds."""
    return _tidy(re.sub(r",? then$", "", _strip(text, _DECIDE)))


def proposal_text(text: str) -> str:
    """What a proposal proposes."""
    return _strip(text, _PROPOSE)


def question_text(text: str) -> str:
    """An open question as it was put, without what leads up to it."""
    return _strip(text)


def statement_text(text: str) -> str:
    """A report without its opening words."""
    return _strip(text)
