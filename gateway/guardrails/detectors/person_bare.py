"""Family names that stand alone, by the company they keep: the tagger, the word lists, roles, verbs, neighbours."""

from __future__ import annotations

import re

from gateway.guardrails.detectors import companies, person_cues
from gateway.guardrails.detectors.names import KATAKANA_OTHER, PLACES, ambiguous, surnames
from gateway.guardrails.detectors.person_reader import Reader, left_border

_DEPARTMENT = re.compile(r"[部課室係局行店社](?:長)?[ \n]\Z")
_ALONE = re.compile(r"[ \n]|\Z|[)、。(]|です|より|宛")
_APART = 32  # characters between two names of one list, at most


def bare(reader: Reader) -> None:
    candidates = [span for span in reader.families if _bare_possible(reader, *span)]
    scores = {span: _bare_score(reader, *span) for span in candidates}
    for _ in range(2):  # neighbours of a sure name are surer
        for span in candidates:
            if scores[span] < 0.6 and (_beside_name(reader, span, scores) or _speaks_too(reader, span, scores)):
                scores[span] = 0.66
    for (start, end), score in scores.items():
        if score >= 0.6:
            reader.add(start, end, "person.bare", round(min(score, 0.8), 2))


def _speaks_too(reader: Reader, span: tuple[int, int], scores: dict[tuple[int, int], float]) -> bool:
    """A line of a transcript that begins like another one whose speaker is sure."""
    if not _speaker(reader.text, *span):
        return False
    return any(score >= 0.6 and _speaker(reader.text, *other) for other, score in scores.items())


def _speaker(text: str, start: int, end: int) -> bool:
    return person_cues.SPEAKS.match(text, end) is not None and person_cues.line_start(text[max(0, start - 14) : start])


def _bare_possible(reader: Reader, start: int, end: int) -> bool:
    text = reader.text
    if reader.taken(start, end) or reader.in_firm(start, end) or companies.firm_follows(text, end):
        return False
    if text[start:end] in KATAKANA_OTHER or re.fullmatch(r"[ぁ-ん]{2}", text[start:end]):
        return False
    if start not in reader.starts or end not in reader.ends or not left_border(reader, start):
        return False
    return (
        re.match(r"[一-龠々ヶァ-ヴー]", text[end : end + 1]) is None
        or person_cues.HONORIFIC_NEXT.match(text, end) is not None
    )


def _bare_score(reader: Reader, start: int, end: int) -> float:
    text, name = reader.text, reader.text[start:end]
    left, right = text[max(0, start - 14) : start], text[end : end + 24]
    token = reader.starts[start]
    tagged = token.end == end and token.kind == "family"
    score = 0.45 if tagged else 0.34 if len(name) >= 2 else 0.26
    doubtful = ambiguous(name) and not (tagged and len(name) > 1 and name not in PLACES)
    score += 0.2 if name in surnames() and not doubtful else 0.0
    evidence = 0.0
    evidence += 0.4 if person_cues.INTRODUCES.match(right) else 0.0
    evidence += 0.35 if person_cues.BEFORE.search(left) else 0.0
    evidence += 0.4 if _speaker(text, start, end) else 0.0
    evidence += 0.46 if _DEPARTMENT.search(left) and _ALONE.match(right) else 0.0
    evidence += 0.4 if person_cues.AGE.match(right) or person_cues.READING.match(right) else 0.0
    evidence += 0.35 if person_cues.SIGNED.match(right) and not re.search(r"[一-龠]\Z", left) else 0.0
    score += evidence - (0.2 if not tagged and name not in surnames() else 0.0)
    if doubtful:
        score -= 0.12 if name not in PLACES or evidence >= 0.35 else 0.25
    if person_cues.SURE_ACTION.match(right):
        return score + 0.46
    if re.match(r"(?:は|が|も|から|より|に|へ|と|を|で|まで)", right):
        score += 0.28 if person_cues.ACTION.match(right) else 0.0
    elif re.match(
        r"の(?:後任|前任|代わり|代理|上司|部下|席|携帯|メール|意見|発言|報告|提案|担当|奥さん|奥様|ご主人)", right
    ):
        score += 0.46
    return score


def _beside_name(reader: Reader, span: tuple[int, int], scores: dict[tuple[int, int], float]) -> bool:
    """Listed with a name: 佐々木、林; 林と森 when at least one of them is a family name for sure."""
    text = reader.text
    sure = [s for s, score in scores.items() if score >= 0.6] + list(reader.found)
    for start, end in sure:
        between = text[end : span[0]] if end <= span[0] else text[span[1] : start]
        if len(between) > _APART:
            continue
        between = re.sub(r"\A(?:様|さん|氏|君|先生)|\([^)]{0,16}\)", "", between)
        if len(between) <= 6 and person_cues.ENUMERATION.fullmatch(between):
            return True
    return False


def again(reader: Reader) -> None:
    """The family names of persons found before, wherever they stand alone."""
    known = {reader.text[a:b] for a, b in reader.found if b - a >= 2}
    known |= {name[:cut] for name in known for cut in (1, 2, 3, 4) if name[:cut] in surnames() and len(name) > cut >= 2}
    for start, end in reader.families:
        if reader.text[start:end] in known and _bare_possible(reader, start, end):
            if reader.text[start:end] not in PLACES:
                reader.add(start, end, "person.again", 0.7)
