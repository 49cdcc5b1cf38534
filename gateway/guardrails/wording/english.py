"""English sales wording: the same rules as in Japanese, in the words English uses."""

from __future__ import annotations

import re

_I = re.IGNORECASE
SUBJECT = re.compile(
    r"\d ?%|\b(?:pays|payout|savings account|downside|upside|lost a|retirement|regulator|invest\w*|funds?|stocks?|shares?|share price|bonds?|notes?|returns?|profits?|principal|capital|yield\w*|dividends?|REITs?|ETFs?|portfolio|market|forex|currency|income|gains?|interest rates?|strategy|trad(?:e|es|ing)|crypto\w*|annuity|savings|money|loss(?:es)?|lose)\b",
    _I,
)
OFFER = re.compile(r"\b(?:manager|account|product|downside|funds?|invest\w*|returns?|performance|performing|yield\w*|portfolio|products?|notes?|bonds?|stocks?|REITs?|ETFs?|annuity|fees?|trust)\b", _I)
SOURCED = re.compile(r"\b(?:source|according to|as of|based on|survey|rank(?:ed|ing)s? by|data from|per \w+ (?:data|statistics))\b", _I)
AIM = re.compile(r"\b(?:aim|strive|goal|seek|hope|aspire|try|intend)\w*\b", _I)
DENIED = re.compile(
    r"\b(?:not?|never|cannot|can'?t|isn'?t|aren'?t|doesn'?t|don'?t|neither|without) (?:\w+ ){0,3}?(?:guarante\w+|assur\w+|promis\w+|certain\w*|definite\w*)|\bno (?:assurance|guarantee|promise)|\bno guarantee\b|\bmay (?:lose|not|fall|fluctuate|rise|go)|\b(?:could|might) (?:lose|fall|rise)|\bsubject to\b|\binsured (?:up )?(?:to|by)\b|\bdeposit insurance\b|\bpast performance\b",
    _I,
)
ASKED = re.compile(r"\?\s*\Z")
SOLICITS = re.compile(r"\bwhy not\b|\bwhat are you waiting\b|\bwant to\b|\bready to\b", _I)
FORBIDDEN = re.compile(r"\b(?:must not|do not|don'?t|should not|shall not|never|avoid|prohibit\w*|forbid\w*|illegal|banned|misleading|not allowed|bad example|wrong|violat\w+|beware|scam|fraud)\b", _I)
REPORTED = re.compile(r"\b(?:claimed|alleged|was told|complain\w*|said that|believed)\b", _I)
DEPOSIT = re.compile(r"\b(?:deposit insurance|insured deposits?|delivery|money-back|warranty|guarantor|quality|satisfaction|government bonds?)\b", _I)
INVESTMENT = re.compile(r"\b(?:fund|structured|equit|stock|REIT|high[- ]yield|forex)\w*", _I)
