"""Who does what until when: requests, assignments and promises of a conversation, each with its answer.

A request counts with or without an audible answer; a promise counts when the speaker takes something home, not when a
step of the meeting is announced. The owner is who was addressed, else who accepted, else nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.common.japanese.normalise import half_width, is_japanese
from apps.minutes.text import plain, plain_en
from apps.minutes.text.approvals import approves
from apps.minutes.text.deadlines import amends, due_of, set_due
from apps.minutes.text.dues import corrects, find_due, without_due
from apps.minutes.text.found import Found, overlap, subject_nouns, subject_words
from apps.minutes.text.moves import Move, Talk
from apps.minutes.text.owners import Answer, addressee, doubt_identity, joint, own_team, set_owner
from apps.minutes.text.reasons import Reason

REPLY_TURNS = 3
_FIRST_PERSON = re.compile(
    r"(?:私|僕|俺|わたくし|わたし|自分)(?:が|で|から|のほうで|の方で|のほうから|の方から|も|は|、)?、?"
)
_TO_ME = re.compile(r"(?:私|僕|俺|わたくし|わたし)(?=に|へ|まで|宛)")
# 出品リストは印刷所に渡す: with the owner taken out, は marks the object.
_OBJECT = re.compile(r"(?<=[一-鿿ァ-ヴー々A-Za-z\d])は、?(?=[^は]*[うくぐすつぬぶむる]$)")
_IMPLICIT_OWNER = re.compile(
    r"(?:こちら|うち|当方)(?:の[一-鿿ァ-ヴー]{1,6})?(?:が|で|から|のほうで|の方で|のほうから|の方から|も|は|、)、?"
)
_SEPARATE = re.compile(
    r"^(?:それから|それと|あと|また|加えて|次に|もう一つ|もう一点|さらに|also|and then|second)", re.I
)
_NOT_AGENTIVE = re.compile(
    r"(?:なり|あり|い|でき|来|届き|終わり|始まり|決まり|かかり|出|増え|減り|下がり|上がり|変わり|入り)ます"
)
_APPROVES = re.compile(
    r"(?:それ|これ|そちら|こちら|その(?:方向|形|線|方針|案|日程))で(?:進め|お願い|やって|行って|いって|結構)"
)
_CALL = re.compile(r"^(?:あ、?)?[^、。はをがにで]{1,6}(?:さん|くん|君|様|委員|部長|課長)、")
_OPEN_CALL = re.compile(r"(?:誰か|どなたか|だれか)(?:が|に)?、?")
_OWN_WISH = re.compile(
    r"としては.{0,40}たい|お願いしたい(?:と(?:思|考|存)|んです|のです|な)"
)  # A社にお願いしたい is a proposal
_MAKE_IT = re.compile(r"[一-鿿ァ-ヴー]でお願い(?:し|いたし)ます")  # 全員参加でお願いします says how, not who does what
_TE_FORM = re.compile(r"(?:[しいきちにみりえけせてねべめれげ]|っ)て(?:ね|よ)?[。]?$|(?:ん|い)で(?:ね|よ)?[。]?$")
_TELLS_OF = re.compile(  # 止めてもらっている tells of a favour, it does not ask for one
    r"(?:もらって|いただいて|くれて)(?:い|お|る|た)|(?:もらい|いただき|くれ)まし|くれる(?:そう|って|んじゃ|と|の|はず|かも|言)|(?:もらえ|いただけ|くれ)(?:ば|たら)(?!.{0,4}(?:助か|幸い|あり))|もらって、|もらえると(?:楽|良)"
)
_ASKS_FOR = re.compile(
    r"(?:ください|下さい|お願い.{0,10}|(?:ます|ません|いいです|よろしいです|ない)か(?:ね|な)?)[。?？]?$|助かり|幸い|ありがた"
)
_OUTSIDER = re.compile(
    r"(?:業者|専門家|外部|会社|社|店|先方|ベンダー|メーカー|銀行|役所|外注)(?:さん)?に(?:は)?(?:頼み|お願いし)ます"
)
_BARE_DEED = re.compile(r"^(?:やる|する|対応する|行う|進める|お願いする|担当する|引き受ける)?$")
_ASKS_WHAT = re.compile(
    r"どう|どの|どちら|どこ|誰|だれ|いつ|何|なに|いくら|\b(?:what|which|who|how|when|where)\b", re.IGNORECASE
)
_THIRD_PARTY = re.compile(r"[^、。]{2,}(?:は|が)(?!いつ|何)")
_TELLS = re.compile(r"(?:報告|説明|発表|紹介|回答|共有|提案)(?:を)?(?:し|いたし|致し|させていただき)ます")
_WANT_OUTCOME = re.compile(
    r"(?:ように|よう)(?:に)?お願い|気を付け|気をつけ|注意|心がけ|ご了承|ご理解|ご容赦|徹底|(?:考え|わかっ|分かっ|察し)て(?:ください|ほしい|いただ)|従って|守って|遵守"
)


def find_actions(talk: Talk) -> list[Found]:
    """All action items in order; later sentences that only complete an item are part of it."""
    items: list[Found] = []
    used: set[int] = set()
    for move in talk.moves:
        if move.index in used:
            continue
        found = _requested(move, talk, used) or _promised(move, talk, used)
        if found is None:
            continue
        used |= {m.index for m in found.moves}
        merged = _same_task(items, found, talk)
        if merged is not None:
            _merge(merged, found)
        else:
            items.append(found)
    return [f for f in items if not _withdrawn(f, talk)]


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_request(move: Move, talk: Talk) -> bool:
    """Whether a sentence asks somebody to do something after the meeting."""
    if _bare_courtesy(move):
        return False
    if move.clearly("request") or (move.possibly("request") and _asks_by_rule(move, talk)):
        return True
    return _CALLS_AND_ASKS.search(move.text) is not None and addressee(move, talk) is not None and _asks_by_rule(move, talk)


# A person called by name and plainly asked: no statistics overrule that.
_CALLS_AND_ASKS = re.compile(
    r"(?:て(?:おいて)?(?:ください|下さい|もらえますか|いただけますか|くれますか)|をお願い(?:します|できますか))[。?？]?$|"
    r"^(?:and |so |okay,? )?[A-Z]\w+,\s(?:please|can you|could you|would you|will you)\b",
)


def _asks_by_rule(move: Move, talk: Talk) -> bool:
    if not (move.does("request") or _told_to(move, talk)) or move.does("opening", "dissent", "withdraw"):
        return False
    if move.does("defer") and not (_CALLS_AND_ASKS.search(move.text) and addressee(move, talk)):
        return False
    if move.does("next_meeting") and not addressee(move, talk):
        return False
    text = half_width(move.text)
    if (approves(move) or _MAKE_IT.search(text)) and not addressee(move, talk):
        return False
    if (_OWN_WISH.search(move.text) or _OUTSIDER.search(move.text)) and not addressee(move, talk):
        return False
    if move.does("reported") and not move.named:
        return False
    if move.does("hypothetical") and not addressee(move, talk):
        return False
    if _TELLS_OF.search(text) and not _ASKS_FOR.search(text):
        return False
    if _WANT_OUTCOME.search(text) and not move.named:
        return False
    if _APPROVES.search(text) or re.search(r"お願いする(?:形|こと|方向|方針|ルール)", text):
        return False
    if move.does("procedural"):
        due = due_of(move, talk)
        later = due is not None and (
            due.firm or (due.day is not None and talk.base is not None and due.day > talk.base)
        )
        return later and not re.search(r"議事録に|記録に|記載", text)
    return not _bare_courtesy(move)


def _told_to(move: Move, talk: Talk) -> bool:
    """渡辺さん、すぐ刷り直して。 A bare て-form asks where it ends what is said and somebody is called or accepts."""
    if not _TE_FORM.search(move.text) or move.does("accept", "question", "reported"):
        return False
    last = not any(m.sentence.turn == move.sentence.turn for m in talk.after(move, 0))
    return (last or move.text.endswith("。")) and (addressee(move, talk) is not None or bool(talk.agreement(move)))


def _bare_courtesy(move: Move) -> bool:
    """お願いします without anything asked for: an answer or a hand-over."""
    rest = re.sub(r"お願い.*$|頼む.*$|頼みます.*$|please", "", move.text, flags=re.I)
    for named in move.named:
        rest = rest.replace(move.text[named.start : named.end], "")
    rest = re.sub(r"さん|それで|じゃあ?|では|はい|よろしく|ええ|うん|それ|これ|、|。|\s|は|を|で|に|も", "", rest)
    return len(rest) <= 1 and not move.dates


def _hands_over(move: Move, talk: Talk) -> bool:
    """全体の工程を高木さんお願いします + a report: the floor is given, nobody takes a task home."""
    if (
        due_of(move, talk)
        or not re.search(r"お願い|頼", move.text)
        or re.search(r"[てで](?:おいて)?(?:くだ|もら|いただ)", move.text)
    ):
        return False
    reply = [m for m in talk.after(move, 1) if m.speaker != move.speaker]
    told = [m for m in reply if len(m.text) >= 14 and not m.does("commit", "question", "request", "decline")]
    accepted = any(m.does("accept") and len(m.text) > 3 and not m.does("commit") for m in reply[:1])
    return bool(told) and not accepted and not any(m.does("strong_commit") for m in reply)


def _requested(move: Move, talk: Talk, used: set[int]) -> Found | None:
    if not is_request(move, talk) or _hands_over(move, talk):
        return None
    found = Found("action", "", move, [move])
    parts = [move, *_continued(move, talk, used)]
    found.cite(*parts)
    answer = _answer(parts[-1], talk)
    set_owner(found, parts, answer, talk)
    if answer.declined and not answer.volunteered and addressee(move, talk) is None:
        return None
    if _by_another(found, answer, talk):
        if any(m.does("commit") for m in answer.moves) and answer.speaker:
            found.reasons.append(Reason("owner_conflict", f"{found.owner} / {talk.speakers[answer.speaker].name}"))
        else:
            answer = Answer()
    found.cite(*answer.moves)
    set_due(found, parts, list(answer.moves), talk)
    found.text = _wanted(move, answer) or _task(found, parts, talk)
    vague = found.owner is None and not subject_nouns(found.quote or found.text) and found.due is None
    return found if found.text and not vague else None


_WANTS = re.compile(r"^(?:so |and |first,? )?i(?:'d| would)? (?:want|like|love|need) to (?:see|have|know|get) (?P<what>[^,.;]{4,60}?)(?: first| before .*)?[.]?$", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:those|them|that|it|these)\b", re.IGNORECASE)


def _wanted(move: Move, answer: Answer) -> str:
    """I want to see the churn figures + I'll pull those together: the answer's deed with the object asked for."""
    asked = _WANTS.match(move.text)
    deed = next((m for m in answer.moves if m.does("commit") and _PRONOUN.search(m.text)), None)
    if asked is None or deed is None:
        return ""
    told = without_due(deed.text, find_due(deed.text, None, None))
    return plain_en.task_text(_PRONOUN.sub(asked["what"], told, count=1))


def _by_another(found: Found, answer: Answer, talk: Talk) -> bool:
    """The reply comes from somebody known who is not the owner: it answers something else."""
    if answer.speaker is None or found.owner is None:
        return False
    who = talk.speakers[answer.speaker]
    return who.known and who.name != found.owner and talk.people.resolve(who.name) is not None


def _continued(move: Move, talk: Talk, used: set[int]) -> list[Move]:
    """Sentences of the same turn that complete a request: its deadline, or a request with no object of its own."""
    parts: list[Move] = []
    for following in talk.after(move, 0):
        if following.index in used or _SEPARATE.match(following.text):
            break
        if (
            _only_due(following, talk)
            or amends(following, talk)
            or (is_request(following, talk) and not addressee(following, talk) and _belongs(move, following))
        ):
            parts.append(following)
        else:
            break
    return parts


def _only_due(move: Move, talk: Talk) -> bool:
    """金曜までに。 期限は十月二十三日です。 今週中で大丈夫です。"""
    due = due_of(move, talk)
    if due is None or move.does("next_meeting", "decide", "question"):
        return False
    rest = without_due(move.text, due)
    if move.does("request", "commit") and "を" in rest:
        return False
    return not subject_words(re.sub(r"期限|締め?切り?|納期|大丈夫|結構|お願い.*|です|due|deadline", "", rest))


def _belongs(first: Move, second: Move) -> bool:
    """Whether the second request is about the first one's object."""
    if _poor(first.text) or _poor(second.text):
        return True
    return overlap(first.text, second.text) >= 0.5


def _poor(text: str) -> bool:
    """A request that names either no object or no deed: 報告書は小林さんにお願いします, 私に見せてください."""
    if not is_japanese(text):
        return not subject_words(text)
    bare = plain.plain(text)
    has_object = re.search(r"(?:を|は|も|[一-鿿ァ-ヴー]{2,}(?:なん|の件)|について)", bare) is not None
    has_deed = re.search(r"[うくぐすつぬぶむる]$", bare) is not None
    return not (has_object and has_deed and subject_words(bare))


# ── promises ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _promised(move: Move, talk: Talk, used: set[int]) -> Found | None:
    offered = _accepted_offer(move, talk)
    if not offered and not _is_promise(move, talk):
        return None
    found = Found("action", "", move, [move])
    parts = [move]
    for following in talk.after(move, 0):
        if following.index in used or not (
            _only_due(following, talk) or amends(following, talk) or _bare_promise(following, talk)
        ):
            break
        parts.append(following)
    found.cite(*parts)
    replies = [m for m in talk.after(parts[-1], 1) if m.speaker != move.speaker][:2]
    due_replies = [m for m in replies if _reply_with_due(m, talk)]
    found.cite(*(offered or due_replies))
    identity = talk.speakers[move.speaker]
    found.owner, found.owner_speaker = identity.name, move.speaker
    if team := own_team(move):
        found.owner, found.owner_speaker = team.name, None
    doubt_identity(found, talk)
    set_due(found, parts, due_replies, talk)
    found.text = _task(found, parts, talk)
    return found if found.text else None


def _is_promise(move: Move, talk: Talk) -> bool:
    if _OWN_PART.search(move.text):
        return True
    return move.clearly("commit") or (move.possibly("commit") and _promises_by_rule(move, talk))


_OWN_PART = re.compile(r"(?:私|僕|わたし)が[^、。]{1,14}[てで]、$")  # the speaker's half of a shared task; see sentences


def _promises_by_rule(move: Move, talk: Talk) -> bool:
    if (
        not move.does("commit")
        or approves(move)
        or move.does("opening", "reported", "hypothetical", "withdraw", "dissent", "next_meeting", "negated")
        or (move.does("decline") and not (corrects(move.text) and due_of(move, talk)))
    ):
        return False
    if move.does("defer") and not move.does("strong_commit"):
        return False
    strong = move.does("strong_commit") or own_team(move) is not None or _goes_ahead(move, talk)
    if _no_task(move, talk) or move.does("question") or (move.does("decide") and not strong):
        return False
    due = due_of(move, talk)
    if not strong and (
        due is None or _NOT_AGENTIVE.search(move.text) or (not due.firm and _THIRD_PARTY.search(move.text))
    ):
        return False
    return not (move.does("procedural") and due is None)


def _goes_ahead(move: Move, talk: Talk) -> bool:
    """じゃあ発注かけます, said right after an approval."""
    before = [m for m in talk.before(move, 1) if m.speaker != move.speaker]
    return any(approves(m) for m in before[:2]) and subject_nouns(move.text) != set()


def _no_task(move: Move, talk: Talk) -> bool:
    """A state, or a step of this meeting; 月末までに報告します is a task all the same."""
    if not move.does("not_a_task"):
        return move.does("question")
    due = due_of(move, talk)
    if is_japanese(move.text) and due is not None and due.day is not None and move.does("strong_commit"):
        return move.does("question")  # 明日伺います
    return not (due and due.firm and _TELLS.search(move.text))


_RESULTS = frozenset(("結果", "報告", "連絡", "回答", "共有", "results", "result", "report"))


def _bare_promise(move: Move, talk: Talk) -> bool:
    """やっておきます, 明日やるわ, 結果を報告します: a promise without an object of its own."""
    if not move.does("commit") or _no_task(move, talk) or _SEPARATE.match(move.text):
        return False
    rest = without_due(move.text, due_of(move, talk))
    if not is_japanese(rest) and re.search(r"\b(?:it|them|those|that)\b", rest, re.I):
        return True
    return not subject_nouns(rest) - _RESULTS


def _reply_with_due(move: Move, talk: Talk) -> bool:
    return move.does("accept", "request") and not move.does("next_meeting", "topic") and due_of(move, talk) is not None


def _accepted_offer(move: Move, talk: Talk) -> list[Move]:
    """The acceptance of 〜しておきましょうか; empty when there is none or it is declined."""
    if not move.does("offer") or move.does("opening", "topic", "defer") or _ASKS_WHAT.search(move.text):
        return []
    replies = [m for m in talk.after(move, 1) if m.speaker != move.speaker]
    if not replies or replies[0].does("decline") or not replies[0].does("accept", "request"):
        return []
    return replies[:1]


# ── answers, owners, deadlines ──────────────────────────────────────────────────────────────────────────────────────


def _answer(move: Move, talk: Talk) -> Answer:
    """The reply to a request: acceptance by the next speaker, or a volunteer after a refusal or an open call."""
    replies = [m for m in talk.after(move, REPLY_TURNS) if m.speaker != move.speaker]
    if not replies or replies[0].sentence.turn > move.sentence.turn + 1:
        return Answer()
    between = [m for m in talk.after(move, 0) if is_request(m, talk) and addressee(m, talk)]
    if between and not move.does("open_call"):
        return Answer()  # the reply is to the last request
    first = [m for m in replies if m.sentence.turn == replies[0].sentence.turn]
    declined = any(m.does("decline") for m in first[:2]) and not any(m.does("strong_commit") for m in first)
    if declined or move.does("open_call"):
        later = replies if move.does("open_call") and not declined else [m for m in replies if m not in first]
        volunteers = [m for m in later if m.does("commit") and not m.does("not_a_task", "question", "decline")]
        if volunteers:
            turn = volunteers[0].sentence.turn
            cited = [m for m in later if m.sentence.turn == turn and m.does("commit") and not m.does("question")]
            return Answer(tuple(cited), volunteers[0].speaker, declined, True)
        return Answer((), None, declined)
    accepted = [m for m in first[:3] if m.does("accept", "commit") and not _own_business(m)]
    if not accepted:
        return Answer()
    due = [m for m in first if due_of(m, talk) and m.does("commit")]
    return Answer(tuple(dict.fromkeys(accepted + due)), accepted[0].speaker)


def _own_business(move: Move) -> bool:
    """A reply that goes on with something else."""
    return move.does("question", "defer", "topic") and not move.does("accept", "strong_commit")


# ── the task in words ───────────────────────────────────────────────────────────────────────────────────────────────


def _task(found: Found, parts: Sequence[Move], talk: Talk) -> str:
    """The task as a clause without owner and deadline; an object that was not named comes from the sentence before."""
    texts = [t for m in parts if not _only_due(m, talk) and (t := _clause(m, found, talk))]
    text = texts[0] if texts else ""
    for extra in texts[1:]:
        if subject_words(extra) - subject_words(text) or not re.search(r"[うくぐすつぬぶむる]$", text):
            text = _and_then(text, extra) if text else extra
    if texts and not re.search(r"[うくぐすつぬぶむる）]$", text):
        text = _with_deed(text, found)
    found.quote = text
    text = re.sub(r"(?<=[一-鿿ァ-ヴー])、(?=(?:する|やる)$)", "を", text)
    text = _OBJECT.sub("を", text) if is_japanese(text) and not re.search("[をが]", text) else text
    if not subject_words(text) or _needs_object(parts[0], text):
        text = _with_antecedent(found, text, talk)
    return text


def _and_then(text: str, extra: str) -> str:
    return f"{text}（{extra}）" if is_japanese(text) else f"{text}; {extra[:1].lower()}{extra[1:]}"


def _with_deed(text: str, found: Found) -> str:
    """報告書 + 承知しました。十四日までに作ります → 報告書を作る: the answer says what is to be done with it."""
    for move in found.moves:
        if not (is_japanese(move.text) and move.does("commit") and move is not found.core):
            continue
        deed = plain.plain(re.sub(r"^.*(?:まで(?:に)?|中に|以内に)(?:は)?、?", "", move.text))
        if 2 <= len(deed) <= 8 and not subject_nouns(deed) and re.search(r"[うくすつぬぶむる]$", deed):
            return f"{text}を{deed}"
    return text


def _clause(move: Move, found: Found, talk: Talk) -> str:
    text = move.text
    due = find_due(text, talk.base, None)
    text = _OPEN_CALL.sub("", _CALL.sub("", _from_vocative(without_due(text, due), found)))
    text = re.sub(r"^[にをはが、]+", "", _without_owner(text, move, found, talk))
    if not is_japanese(text):
        return plain_en.task_text(text)
    text = re.sub(r"^(?:それ|これ)?まで(?:に)?(?:は)?、", "", _TO_ME.sub(talk.name_of(move), text))
    text = _IMPLICIT_OWNER.sub("", _FIRST_PERSON.sub("", text)) if move.does("commit", "offer") else text
    return plain.plain(text).strip("、 ")


def _from_vocative(text: str, found: Found) -> str:
    """まじか、由美さん、… starts at 由美さん: what comes before a call is a reaction to something else."""
    at = (
        re.search(rf"{re.escape(found.owner)}(?:さん|くん|君|ちゃん|委員)(?=、|[^にをへとのかや])", text)
        if found.owner
        else None
    )
    return text[at.start() :] if at and at.start() <= 8 and not re.search("[はをが]", text[: at.start()]) else text


def _without_owner(text: str, move: Move, found: Found, talk: Talk) -> str:
    if both := joint(move, talk):
        text = re.sub(
            rf"{re.escape(move.text[both[0].start : both[-1].end])}(?:さん|くん|君|ちゃん|様)?(?:で|が|は|に)?[、,]?\s?",
            "",
            text,
        )
    for named in move.named:
        if (
            named.name != found.owner
            and found.owner is not None
            and not _called(text, move.text[named.start : named.end])
        ):
            continue
        said = move.text[named.start : named.end]
        if is_japanese(text):
            suffix = r"(?:さん|様|くん|君|ちゃん|氏|部長|課長|次長|係長|主任|室長|支店長|委員|取締役|リーダー|マネージャー|先生|代理)?"
            text = re.sub(
                rf"(?:あ、?)?{re.escape(said)}{suffix}(?:のほうから|の方から|のほうで|の方で|のほう|の方|におかれましては|には|は|が|で(?=[一-鿿や])|に(?=お願い|お?任せ|担当|頼)|も(?=、))?[、。]?\s?",
                "", text, count=1,
            )  # fmt: skip
        else:
            call = rf"^\s*(?:and |so |okay,? )?{re.escape(said)}\s*,?\s*|,?\s*{re.escape(said)}\s*(?=[?.!]?$)"
            text = re.sub(call, "", text, flags=re.IGNORECASE)
    return text


def _called(text: str, said: str) -> bool:
    """Whether the name stands at the start as a call: David, can you …; 田中さん、…"""
    return re.match(rf"(?:and |so |okay,? |あ、?)?{re.escape(said)}(?:さん|くん|様|委員)?[,、]", text, re.I) is not None


def _needs_object(move: Move, text: str) -> bool:
    if not is_japanese(text):
        return re.search(r"\b(?:it|this|that|them|those)\b", text, re.I) is not None and len(subject_words(text)) <= 1
    return re.match(r"^(?:それ|これ|そちら|こちら|そこ|この件|その件|そのへん)", text) is not None


def _with_antecedent(found: Found, text: str, talk: Talk) -> str:
    """手配をお願いできますか → 手配（温度センサーを交換する）: what it is about was said just before."""
    before = [
        m for m in talk.before(found.core, 3)[:6]
        if subject_words(m.text) and not m.does("opening", "next_meeting", "accept") and m not in found.moves
    ]  # fmt: skip
    if not before:
        return text
    source = next((m for m in before if subject_nouns(m.text) and not m.does("anaphora")), before[0])
    found.refer(*before[: before.index(source) + 1])
    if source.sentence.turn < found.core.sentence.turn - 1:
        found.reasons.append(Reason("antecedent"))
    about = plain.decision_text(source.text) if is_japanese(source.text) else plain_en.proposal_text(source.text)
    bare = re.sub(r"^(?:それ|これ|そちら|こちら|その件|この件)(?:は|を|も|について)?、?", "", text)
    bare = "" if _BARE_DEED.match(bare) else bare
    if not is_japanese(bare):
        return f"{bare} ({about[:1].lower()}{about[1:]})" if bare else about
    return f"{bare}（{about}）" if bare else about


# ── same task, withdrawn task ───────────────────────────────────────────────────────────────────────────────────────


def _same_task(items: Sequence[Found], found: Found, talk: Talk) -> Found | None:
    """An earlier item of which this is the answer or a repetition."""
    for earlier in reversed(items[-6:]):
        near = found.core.sentence.turn - earlier.moves[-1].sentence.turn
        same_owner = earlier.owner == found.owner or earlier.owner is None or found.owner is None
        if not same_owner:
            continue
        if overlap(earlier.quote or earlier.text, found.quote or found.text) >= 0.6:
            return earlier
        if near <= 1 and not subject_words(found.quote):
            return earlier
    return None


def _merge(earlier: Found, later: Found) -> None:
    earlier.cite(*later.moves)
    earlier.refer(*later.context)
    if earlier.owner is None and later.owner is not None:
        earlier.owner, earlier.owner_speaker = later.owner, later.owner_speaker
        earlier.reasons = [r for r in earlier.reasons if r.code != "owner_missing"]
        earlier.reasons += [r for r in later.reasons if r.code.startswith("owner")]
    if earlier.due is None or (earlier.due.day is None and later.due and later.due.day):
        earlier.reasons = [r for r in earlier.reasons if not r.code.startswith("due")]
        earlier.due = later.due
        earlier.reasons += later.due.reasons if later.due else ()
    if len(subject_words(later.text)) > len(subject_words(earlier.text)) and not later.moves[0].does("accept"):
        earlier.text, earlier.quote = later.text, later.quote


def _withdrawn(found: Found, talk: Talk) -> bool:
    """A later sentence takes the task back: drops it when it names it, marks it when it only may mean it."""
    for move in talk.after(found.moves[-1], 60):
        if move.does("withdraw") and overlap(found.text, move.text) >= 0.5 and len(subject_words(found.text)) > 1:
            return True
    return False
