"""English sales wording: the same rules as in Japanese, in the words English uses."""

from __future__ import annotations

import re

_I = re.IGNORECASE
SUBJECT = re.compile(
    r"\b(?:invest\w*|funds?|stocks?|shares?|share price|bonds?|notes?|returns?|profits?|principal|capital|yield\w*|dividends?|REITs?|ETFs?|portfolio|market|forex|currency|income|gains?|interest rates?|strategy|trad(?:e|es|ing)|crypto\w*|annuity|savings|money|loss(?:es)?|lose)\b",
    _I,
)
OFFER = re.compile(r"\b(?:funds?|invest\w*|returns?|performance|performing|yield\w*|portfolio|products?|notes?|bonds?|stocks?|REITs?|ETFs?|annuity|fees?|trust)\b", _I)
DEFINITIVE = re.compile(
    r"\b(?:will|is|are|must|shall|going to|bound to|sure to|certain to)\b[^.]{0,16}\b(?:definitely|certainly|surely|absolutely|undoubtedly|always|inevitably|without (?:a )?doubt|guaranteed to)\b[^.]{0,24}\b(?:rise|double|triple|grow|go up|increase|gain|profit|return|outperform|pay|recover|win|beat)\b|"
    r"\b(?:definitely|certainly|surely|absolutely|undoubtedly|inevitably)\b[^.]{0,20}\b(?:rise|double|triple|grow|go up|increase|gain|profit|outperform|beat|earn|make money)\b|\b(?:guaranteed|certain|sure|bound) to (?:rise|double|make|earn|return|profit|gain|grow|win|increase|go up|outperform|succeed)\b|\b(?:you|investors?|everyone|anyone) (?:will|can) (?:always|definitely|certainly|surely)\b[^.]{0,24}\b(?:profit|earn|gain|make)\b|\bcan'?t (?:lose|fail|miss)\b|\bsure[- ](?:fire|thing|win)\b",
    _I,
)
NO_LOSS = re.compile(
    r"\b(?:no|zero|without(?: any)?|free of) (?:\w+ )?risks?\b|\brisk[- ]free\b(?! rate)|\b(?:cannot|can'?t|never|impossible to|unable to|won'?t|will not) (?:ever )?(?:los(?:e|ing)|make a loss)\b|\bno (?:chance|possibility|danger|risk) of (?:los\w+|a loss)|\b(?:completely|totally|absolutely|100%|perfectly) safe\b|\bno downside\b|\bnever (?:falls?|drops?|declines?|loses?)\b",
    _I,
)
GUARANTEE = re.compile(
    r"\bguarante\w+\b[^.]{0,30}\b(?:returns?|profits?|income|yields?|gains?|principal|capital|dividends?|interest|\d+(?:\.\d+)? ?%)|\b(?:returns?|profits?|income|yields?|gains?|principal|capital|dividends?|payouts?)\b[^.]{0,24}\b(?:is|are|be|of [\d.]+ ?% (?:is|are))? ?(?:fully |100% )?(?:guaranteed|assured|promised|secured)\b|\bwe (?:promise|guarantee|assure)\b[^.]{0,30}\b(?:returns?|profits?|\d+(?:\.\d+)? ?%|gains?)",
    _I,
)
LOSS_COMPENSATION = re.compile(
    r"\b(?:we|our (?:firm|company|bank)|the (?:firm|company|bank)|i)\b[^.]{0,24}\b(?:cover|compensate|reimburse|refund|make up|make good|absorb|repay|bear|pay back)\b[^.]{0,24}\b(?:loss(?:es)?|shortfalls?|what you lose)\b|\bmoney[- ]back\b[^.]{0,20}\b(?:loss|lose|invest\w*)",
    _I,
)
SUPERLATIVE = re.compile(
    r"\b(?:no\.? ?1|number one|#1|best[- ](?:performing|in[- ]class|returns?|fund|investment|product)?|top[- ]performing|(?:the )?(?:world|japan|industry|market)(?:'s)?[- ](?:best|leading|top|no\.? ?1|highest|safest)|the (?:only|safest|highest[- ]yielding|most profitable|greatest|ultimate)|unrivall?ed|unbeatable|unmatched|second to none)\b",
    _I,
)
SOURCED = re.compile(r"\b(?:source|according to|as of|based on|survey|rank(?:ed|ing)s? by|data from|per \w+ (?:data|statistics))\b", _I)
AIM = re.compile(r"\b(?:aim|strive|goal|seek|hope|aspire|try|intend)\w*\b", _I)
COMPARISON = re.compile(
    r"\b(?:better|higher|superior|safer|cheaper|more profitable|outperforms?|beats?|far ahead)\b[^.]{0,16}\b(?:than|to|of)?\b ?(?:any|all|every|other|our|the|its)? ?(?:other )?(?:fund|funds|competitors?|rivals?|banks?|products?|deposits?|peers?|investment)\b",
    _I,
)
MISLEADING = re.compile(r"\b(?:as safe as|just like|same as) (?:a )?(?:bank |savings |time )?(?:deposits?|savings|cash)\b|\b(?:endorsed|approved|recommended|backed|guaranteed) by the (?:government|FSA|SEC|regulator|central bank|financial services agency)\b|\bget rich\b|\bdon'?t miss\b[^.]{0,20}\b(?:profit|gain)", _I)
SPECIAL_BENEFIT = re.compile(r"\b(?:cash ?back|gift|bonus|rebate|kickback|refund of (?:fees|commission))\b[^.]{0,40}\b(?:if you|when you|for (?:new|signing|investing)|only for|exclusive)\b[^.]{0,20}\b(?:invest\w*|sign|buy|purchase|contract|clients?|customers?)?", _I)
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
