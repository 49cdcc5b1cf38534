"""What was decided: performative sentences, agreed proposals, votes. Proposals, reports, suppositions are not.

A clear performative (〜に決定します, 見送ります, we'll go with …) stands alone. A softer one (〜ましょう) counts when the chair
says it or somebody agrees, and nobody objects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.common.japanese.normalise import half_width, is_japanese
from apps.common.japanese.numbers import find_quantities
from apps.minutes.text import plain, plain_en
from apps.minutes.text.approvals import approves, find_approval, find_choice
from apps.minutes.text.cues import cues
from apps.minutes.text.found import Found, overlap, subject_nouns, subject_words
from apps.minutes.text.matters import motion, nearest_topic, proposes, same_figure
from apps.minutes.text.moves import Move, Talk
from apps.minutes.text.reasons import Reason
from apps.minutes.text.revisions import find_replaced, find_retracted, supersede
from apps.minutes.text.settling import settles

OPENING = 3  # sentences: 〜を始めます is said there, not decided
_SUGGESTS = re.compile(
    r"(?:(?:どう|いかが)(?:でしょう|です|かな|だろう|か|$)|ませんか|ましょうか|(?:よう|ろう|こう|そう)か(?:な|ね)?|(?:の|ん)(?:では|じゃ)(?:ない|あり).{0,8}|かもしれ.{0,8}|かも(?:ね|です)?|べき.{0,8}|(?:ほう|方)が(?:いい|良い|よい|望ましい).{0,10}|たらと思い.{0,6}|ればと思い.{0,6}|という案.{0,12}|とか)[。?？]?$"
)
_WISH = re.compile(r"たい(?:と(?:思|考え|存じ).{0,10}|です.{0,4}|のです.{0,6}|んです.{0,8}|ところ.{0,6})?[。]?$")
_AFTERWARDS = re.compile(
    r"(?:ので|から|けど|けれど|んですが|ですが|ますが|たら|なら|場合|ため|ように|かどうか|かは|という(?:のは|意見|話|声)|とした(?:場合|ら)|に(?:なった|した)の)"
)
_EARLIER = re.compile(
    r"(?:前回|先月|先週|昨年|以前|前々回|既に|すでに|当初)(?:の[一-鿿]{1,8})?(?:で|に|も)?.{0,8}(?:決め|決ま|承認|合意|決定)(?:た|った|された|した|し)"
)
_ON_THE_WAY = re.compile(  # 確認していきましょう: a step of this meeting
    r"(?:確認|共有|議論|検討|整理|説明|振り返り?|おさらい|話)(?:を)?して(?:いき|みま|いこ|みよ)|(?:見|聞い|読ん)[てで](?:いき|みま|いこ|みよ)"
)
_THIS_MOTION = re.compile(r"^(?:この|本)(?:議案|件|案)(?:申請)?(?=[はを、])")
_SUGGESTION = re.compile(
    r"(?:たら|れば|のは|[てで]は|案は|とか)、?(?:どう|いかが)|(?:どう|いかが)でしょう(?:か)?[。?？]?$"
)
_BARE_PHRASE = re.compile(r"^[^はをがに、。]{2,14}$")
_OPEN = re.compile(r"どう|どの|どちら|どこ|誰|だれ|いつ|何|なに|いくら")
_SUPPOSED = re.compile(r"ことにな(?:る|り)|と思(?:い|う)|かも|でしょう|だろう|はず")
_PERFORMED = re.compile(r"こと(?:に|と|で)(?:決|し|いたし)|決定|決め(?:ます|ました)")
_STRONG_NOUN = re.compile(r"可決|否決|承認|却下|見送|採決")
_PERSONAL = re.compile(r"(?:私|僕|俺|わたくし)(?:が|で|の(?:ほう|方)で|から)")
_LOW_CONTENT = re.compile(
    r"^(?:それ|これ|そのよう|そう|その[一-鿿ァ-ヴー]{1,6}(?:で|に|を)|この(?:方針|方向|案)|そちら|こちら|あれ|同様)"
)
_REFUSES = re.compile(
    r"(?:ない|なし|やめる|中止|延期|不要|取りやめる)$|^(?:not|no|drop|cancel|reject|postpone)\b", re.IGNORECASE
)
_ANNOUNCED = re.compile(r"こと(?:に|と)(?:なり|なっ)(?:ました|た)")
_CONCLUDES = re.compile(r"^(?:では|それでは|じゃあ?|ということで|以上|よって|結論)")
_ANSWERS = re.compile(r"(?:で|に)お願いします|で(?:いい|よい|良い|OK|オーケー|大丈夫)(?:です|でしょう|と思います)")
_PERMISSION = re.compile(r"(?:質問|発言|確認|お?聞き|聞い|伺っ|話し|言っ|入っ|始め|終わっ|次|進め).{0,4}(?:て|で)も")
_VOTE = re.compile(r"(?:ご?異議|ご?賛成の方|挙手)")
_IN_MEETING = re.compile(
    r"(?:回答|説明|報告|発表|紹介|質問|話|議論|検討|相談|確認|共有|休憩|移り|進み|戻り|待ち|見て(?:いき|み)|考えて(?:いき|み)|聞い|伺い|整理|頑張り|がんばり|注意|気をつけ|気を付け|努力|努め|意識|やってみ|目指|進めていき|取り組)(?:を)?(?:し|いたし|させ)?(?:ましょう|よう|たい)"
)


def find_decisions(talk: Talk, taken: set[int]) -> list[Found]:
    """All decisions in order. ``taken``: indices of sentences that are already action items."""
    items: list[Found] = []
    for move in talk.moves:
        withdrawn = None if _decides_anew(move) else find_retracted(move, items)
        if withdrawn is not None:
            items.remove(withdrawn)
            if items and items[-1].core.sentence.turn == move.sentence.turn:
                supersede(items[-1], withdrawn, talk)
                items[-1].cite(move)
            continue
        found = find_choice(move, talk) if move.index in taken else _decided(move, talk, items)
        found = found or (None if move.index in taken else _settled(move, talk, items))
        if found is None:
            continue
        same = _same_decision(items, found)
        if same is not None:
            _merge(same, found)
            continue
        replaced = find_replaced(items, found)
        if replaced is not None:
            items.remove(replaced)
            supersede(found, replaced, talk)
        items.append(found)
    return items


def _decided(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    """The decision that a sentence takes: by the rules where the tagger does not rule it out, else by the tagger."""
    found = _by_rule(move, talk, items) if move.possibly("decide") else None
    return found or (_by_tag(move, talk, items) if move.clearly("decide") else None)


def _by_tag(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    """A sentence that decides in words of its own. What it leaves out is in the proposal that it takes up."""
    if approves(move) and (found := find_approval(move, talk, items)):
        return found
    own, source = _text(move), _proposal(move, talk)
    words = subject_words(own)
    strange = source is not None and bool(words) and not words & subject_words(source.text) and _whole(own)
    if source is None or len(words) > RICH or strange:
        return _found(move, talk, items) if words else None
    proposed = plain.proposal_text(source.text) if is_japanese(source.text) else plain_en.proposal_text(source.text)
    found = Found("decision", proposed, move, [move], quote=f"{source.text} {move.text}")
    if words and not _LOW_CONTENT.match(own):
        found.text = f"{proposed}（{own}）" if is_japanese(own) else f"{proposed} ({own})"
    found.refer(source)
    return found


def _whole(text: str) -> bool:
    """A decision that says what is done with what, and points at nothing before it: 差額は予備費から出す."""
    if not is_japanese(text):
        return len(text.split()) >= 5 and not re.search(r"\b(?:it|that|this|them|those|then)\b", text, re.IGNORECASE)
    return (
        re.search(r"[一-鿿ァ-ヴーA-Za-z0-9][はをがも].*[うくぐすつぬぶむる]$", text) is not None
        and not _LOW_CONTENT.match(text)
    )


RICH = 2  # subject words with which a decision still needs its proposal to be understood
BACK = 16  # sentences in which the proposal must have been made


def _proposal(move: Move, talk: Talk) -> Move | None:
    """The proposal that a decision takes up: likely to be one, near, and about the same."""

    def fit(earlier: Move) -> float:
        shared = len(subject_words(earlier.text) & subject_words(move.text))
        near = (move.index - earlier.index) / BACK
        return earlier.tags.get("propose", 0.0) + 0.3 * min(2, shared) - 0.4 * near

    earlier = [m for m in talk.moves[max(0, move.index - BACK) : move.index] if subject_nouns(m.text)]
    likely = [m for m in earlier if m.tags.get("propose", 0.0) >= 0.2]
    return max(likely, key=fit, default=None)


def _by_rule(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    if move.does("next_meeting") and not (move.does("decide") and _PERFORMED.search(half_width(move.text))):
        return None
    if _EARLIER.search(half_width(move.text)):
        return None
    if _ON_THE_WAY.search(move.text):
        return None
    if approves(move):
        return find_approval(move, talk, items)
    if move.does("withdraw") and not _decides_anew(move):
        return None
    if move.does("opening", "negated", "dissent") or (move.does("defer") and not _performative(move)):
        return None
    if move.does("hypothetical") and (not _final(move) or _SUPPOSED.search(move.text)):
        return None
    if move.does("reported") and not _ends_in_force(move):
        return None
    if move.does("confirm") or (move.does("question") and not move.does("confirm")):
        return _confirmed(move, talk)
    if move.does("decide") and _final(move):
        return _performed(move, talk, items)
    if move.does("decide_weak"):
        return _softly(move, talk, items)
    return None


def _settled(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    """The chair says how it will be, behind a proposal: 校名は出す。 Not twice for one proposal."""
    used = {m.index for i in items[-3:] for m in (*i.moves, *i.context)}
    sources = [m for m in settles(move, talk) if m.index not in used]
    if not sources or move.index in used:
        return None
    text = _text(move)
    thin = not subject_nouns(text) or _LOW_CONTENT.match(text)
    if thin:
        text = (
            plain.proposal_text(sources[0].text) if is_japanese(move.text) else plain_en.proposal_text(sources[0].text)
        )
    found = Found("decision", text, move, [move], quote=move.text, weak=True)
    found.refer(*sources)
    if not talk.agreement(move):
        found.reasons.append(Reason("weak_decision"))
    return found if subject_words(found.text) else None


def _decides_anew(move: Move) -> bool:
    """先ほどの決定は取り消して、B案にします takes back and decides in one sentence."""
    return (
        move.does("revise", "decide")
        and re.search(r"(?:て|で)、?.{2,}(?:ます|ましょう|よう|たい)", move.text) is not None
    )


def _performative(move: Move) -> bool:
    """否決, 見送り … decide even where the sentence also defers something."""
    return (
        move.does("decide")
        and re.search(r"否決|可決|却下|見送|ことに(?:決定|決め)", move.text) is not None
        and "継続" not in move.text
    )


def _ends_in_force(move: Move) -> bool:
    """A report ends in ました or ています; a decision in force ends in the present or in a vote."""
    return (
        re.search(r"(?:します|ましょう|いたします|とする|可決されました|承認されました)[。]?$", move.text) is not None
    )


def _final(move: Move) -> bool:
    """Whether a decision cue stands where the sentence ends, not in a clause about something else."""
    text = half_width(move.text)
    if not is_japanese(text):
        return not move.does("reported", "hypothetical")
    pattern = cues("ja").decide
    for match in pattern.finditer(text):
        rest = text[match.end() :]
        if len(rest) <= 14 and not _AFTERWARDS.search(rest[:8]):
            return True
        if _STRONG_NOUN.search(match[0]) and not _AFTERWARDS.match(rest):
            return True
    return False


def _performed(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    text = half_width(move.text)
    if is_japanese(text) and _SUGGESTS.search(text):
        return None
    if _VOTE.search(text) and not _STRONG_NOUN.search(text):
        return None
    if _PERSONAL.search(text) and not _STRONG_NOUN.search(text):
        return None
    if _ANNOUNCED.search(text) and not _CONCLUDES.match(text) and not _discussed(move, talk):
        return None
    if re.search(r"(?:ましょう|よう)[。]?$", text) and talk.objection(move):
        return None
    wish = is_japanese(text) and _WISH.search(text) is not None
    agreed = talk.agreement(move)
    if wish and not agreed and move.speaker != talk.chair:
        return None
    found = _found(move, talk, items)
    if found is not None and wish and not agreed:
        found.reasons.append(Reason("weak_decision"))
    return found


def _discussed(move: Move, talk: Talk) -> bool:
    """Whether something was proposed or asked just before: else 〜ことになりました reports what others decided."""
    return any(m.does("propose", "confirm") and m.speaker != move.speaker for m in talk.before(move, 3))


def _softly(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    """〜ましょう, 〜でいいです: needs the chair or an agreement, and no objection."""
    text = half_width(move.text)
    if _SUGGESTS.search(text) or _WISH.search(text) or _IN_MEETING.search(text) or move.does("procedural", "request"):
        return None
    if (
        (move.index < OPENING and "始め" in text)
        or move.does("strong_commit")
        or not (subject_words(text) or move.does("anaphora"))
    ):
        return None
    if not subject_nouns(move.text) and any(
        m.does("decide") and subject_nouns(m.text) for m in talk.after(move, 0)[:1]
    ):
        return None  # すぐに交換しましょう。センサーは今週中に交換することにします: the second sentence says it
    agreed, objected = talk.agreement(move), talk.objection(move)
    if objected or not (agreed or move.speaker == talk.chair):
        return None
    if _ANSWERS.search(text) and not (agreed and any(m.does("question", "propose") for m in talk.before(move, 1))):
        return None
    found = _found(move, talk, items)
    if found is not None:
        found.weak = True
        if not agreed:
            found.reasons.append(Reason("weak_decision"))
    return found


def _confirmed(move: Move, talk: Talk) -> Found | None:
    """〜ということでよろしいですか + はい: the question becomes the decision."""
    if not move.does("confirm") or _PERMISSION.search(move.text):
        return None
    agreed = talk.agreement(move)
    if not agreed or talk.objection(move):
        return None
    source = move
    if not subject_words(move.text):
        earlier = [m for m in talk.before(move, 0) if subject_words(m.text)][:1]
        if not earlier or (earlier[0].does("decide") is False and not earlier[0].does("decide_weak", "propose")):
            return None
        source = earlier[0]
    elif not re.search(
        r"(?:について|に関して)、?ご?(?:異議|異論)|(?:ということ|こと|形|方針|方向|案|て(?:も)?|で)(?:で|に|と)?(?:は)?(?:、)?(?:よろし|いい|よい|良い|大丈夫|問題|異議)",
        half_width(move.text),
    ) and is_japanese(move.text):
        return None
    found = Found("decision", _text(source), source, [source, move, *agreed])
    found.quote = source.text
    return found if subject_nouns(found.text) else None


def _found(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    found = Found("decision", _text(move), move, [move], quote=move.text)
    if find_replaced(items, found) is not None:
        return found
    if _THIS_MOTION.match(found.text):
        _name_motion(found, talk)
    asked = [m for m in talk.before(move, 2)[:6] if _asks(m) and m.speaker != move.speaker]
    if asked and is_japanese(found.text) and _BARE_PHRASE.match(found.text) and not _LOW_CONTENT.match(found.text):
        return _with_topic(found, asked[0], talk)
    thin = not subject_nouns(found.text) or _only_pronoun(found.text) or _LOW_CONTENT.match(found.text)
    if thin and any(m.does("decide") and subject_nouns(m.text) for m in talk.after(move, 0)[:1]):
        return None  # it is decided. We will launch …: the second sentence says it
    return _with_antecedent(found, talk, items) if thin else found


def _text(move: Move) -> str:
    return plain.decision_text(move.text) if is_japanese(move.text) else plain_en.decision_text(move.text)


def _with_antecedent(found: Found, talk: Talk, items: Sequence[Found]) -> Found | None:
    """それでいきましょう: what それ is, the nearest proposal or soft decision before it says."""
    earlier = [
        m for m in talk.before(found.core, 4)
        if subject_words(m.text) and not m.does("opening", "decline", "dissent") and not _bare_agreement(m)
    ]  # fmt: skip
    last = items[-1] if items else None
    if last is not None and found.core.index - last.core.index <= 3 and last.core in earlier[:3]:
        last.cite(found.core)
        last.reasons = [r for r in last.reasons if r.code != "weak_decision"]
        return None
    settled = {i.core.index for i in items}
    sources = [m for m in earlier if m.index not in settled and (m.does("decide", "decide_weak") or proposes(m))] or (
        earlier[:1] if found.core.does("anaphora") else []
    )
    if not sources and find_quantities(found.text) and is_japanese(found.text):
        sources = same_figure(found.core, talk)
    if not sources:
        own_words = found.core.does("decide") and subject_words(found.text) and not _LOW_CONTENT.match(found.text)
        return found if own_words else None
    source = sources[0]
    if is_japanese(found.text) and _asks(source) and not _LOW_CONTENT.match(found.text):
        return _with_topic(found, source, talk)
    proposed = plain.proposal_text(source.text) if is_japanese(source.text) else plain_en.proposal_text(source.text)
    if find_quantities(found.text) and is_japanese(found.text):
        return _with_topic(found, source, talk)
    if not proposed:
        return None
    own = found.text if _STRONG_NOUN.search(found.text) or _REFUSES.search(found.text) else ""
    found.text = f"{proposed}件：{own}" if own and is_japanese(proposed) else f"{proposed}: {own}" if own else proposed
    found.quote = source.text
    found.refer(source)
    if source.sentence.turn < found.core.sentence.turn - 2:
        found.reasons.append(Reason("antecedent"))
    return found


def _only_pronoun(text: str) -> bool:
    """Drop it."""
    return (
        not is_japanese(text)
        and len(subject_words(text)) <= 1
        and re.search(r"\b(?:it|that|this|them)\b", text) is not None
    )


def _asks(move: Move) -> bool:
    """An open question, not a suggestion: 延長はどうしますか, not 二年にするのはどうですか."""
    return move.does("question") and _OPEN.search(_SUGGESTION.sub("", half_width(move.text))) is not None


def _bare_agreement(move: Move) -> bool:
    """Agreed. いいですね。"""
    return move.does("accept") and len(move.text) < (12 if is_japanese(move.text) else 20)


def _name_motion(found: Found, talk: Talk) -> None:
    """本議案は可決された → 決算報告書の承認は可決された."""
    for earlier in talk.before(found.core, 12)[:30]:
        if title := motion(earlier):
            found.text = _THIS_MOTION.sub(title, found.text)
            found.refer(earlier)
            return


def _with_topic(found: Found, source: Move, talk: Talk) -> Found:
    """じゃあ三百個ごとで決まりね: the figure is its own, the thing was named before."""
    figures = same_figure(found.core, talk)
    near = nearest_topic(found.core, talk, figures or [source])
    if near is not None:
        found.text = f"{near[0]}は{found.text}"
        found.refer(near[1])
    found.refer(*(figures[:1] or [source]))
    found.quote = f"{source.text} {found.core.text}"
    return found


def _same_decision(items: Sequence[Found], found: Found) -> Found | None:
    """The same matter decided in the sentence before, or repeated later on."""
    for earlier in reversed(items):
        near = found.core.index - earlier.core.index
        same_turn = found.core.sentence.turn == earlier.core.sentence.turn and near <= 2
        shared = overlap(earlier.quote or earlier.text, found.quote or found.text)
        if _different_numbers(earlier.text, found.text):
            continue  # 第一号議案 and 第二号議案
        if shared >= 0.75 and len(subject_words(found.text) & subject_words(earlier.text)) >= 2:
            return earlier
        if same_turn and (earlier.weak or found.weak) and shared >= 0.3:
            return earlier
    return None


def _different_numbers(left: str, right: str) -> bool:
    a, b = ({(q.value, q.unit) for q in find_quantities(t)} for t in (left, right))
    return bool(a) and bool(b) and a.isdisjoint(b)


def _merge(earlier: Found, later: Found) -> None:
    earlier.cite(*later.moves)
    earlier.refer(*later.context)
    if (earlier.weak and not later.weak) or len(subject_words(later.text)) > len(subject_words(earlier.text)):
        earlier.text, earlier.quote, earlier.weak = later.text, later.quote, later.weak
        earlier.reasons = later.reasons
