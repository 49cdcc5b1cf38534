"""Spoken polite Japanese as a plain written clause, by grammar only: 作っていただけますか → 作る, 見送りましょう → 見送る.

What it cannot take apart stays as said. No word is added that was not spoken, except the dictionary ending of a verb.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.common.japanese.words import Word, words

_LEAD = re.compile(
    r"^(?:(?:それでは|それじゃあ?|じゃあ)[、。\s]*|(?:ええ?と|それでは|それじゃあ?|そしたら|そうしたら|そういうことで|ということで|というわけで|では|じゃあ?|でしたら|だったら|それなら|なら|はい|うん|ええ|よし|さて|なお|また|あとは?|ただし|いっそ(?:のこと)?|ただ|それから|それと|そして|あ|まあ|ま|んで|で|そうですね|そうだね|なるほど|とはいえ|とは言え|いやあ?|うーん"
    r"|わかりました|分かりました|わかった|分かった|オッケー|了解です|承知しました|いいですね|(?:最後に|念のため)?(?:もう一度)?確認(?:なの|なん)?ですが|繰り返しになりますが|まとめますと|まとめると|整理すると|要するに|とりあえず|一応|ちょっと|よって|やっぱり?|やはり|その代わり|代わりに|でしたらまず|まじか|マジか|へえ|おお|そっか|そうか|確かに|たしかに|結局|すみませんが|恐れ入りますが|お手数ですが|申し訳ないのですが|できれば|ちなみに|えっ|えー|うーん)(?:[、。，\s]+|(?=[一-鿿ァ-ヴーA-Z\d]|まず|それ|この|その|もう|やっぱ|やはり)))+"
)
_TAIL = re.compile(
    r"(?:[、。，．,.!！?？\s]|んですけれ?ども?|のですが|んですが|ですけれ?ども?|なんですけれ?ども?|けれ?ども?|と(?:は)?(?:思い|思って(?:い|おり)|存じ|考え(?:て(?:い|おり))?)ます(?:が|ので|けど)?|と思う(?:ん)?(?:ですが|ですけど|です)?|かと思います|という(?:感じ|風)(?:で(?:す)?)?)+$"
)
_SUPPORT = {
    "くださる", "もらう", "もらえる", "いただく", "いただける", "頂く", "頂ける", "くれる", "おく", "とく", "ほしい", "いい", "よい",
    "よろしい", "構う", "ちゃう", "しまう", "みる", "ちょうだい", "頼む", "大丈夫", "願う", "願える", "くれん",
}  # fmt: skip
_GIVING = {"願う", "いただける", "もらえる", "くださる", "くれる", "いただく", "もらう"}
_SOFT = {"ます", "です", "だ", "たい", "てる", "う", "よう", "とく", "ちゃう"}
_A_ROW = str.maketrans("うくぐすつぬぶむる", "わかがさたなばまら")
_POLITE_INSIDE = (  # polite forms in mid-sentence
    (re.compile(r"しまして"), "して"),
    (re.compile(r"といて(?=ください|下さい|もら|くれ|いただ|ほしい|ね|よ|$)"), "ておいて"),
    (re.compile(r"(?<=ん)どいて(?=ください|下さい|もら|くれ|いただ|ほしい|ね|よ|$)"), "でおいて"),
    (re.compile(r"(?<=[うくぐすつぬぶむるいた])んで(?=、|[一-鿿ァ-ヴーA-Z])、?"), "ので、"),
    (re.compile(r"(?:もらえる|いただける|頂ける|くれる)と(?:助かり|嬉し|うれし|ありがた|幸い).*$"), "ください"),
    (re.compile(r"させて(?:いただき|頂き)(ます|たい)"), r"し\1"),
    (
        re.compile(
            r"(?<=[一-鿿ァ-ヴーa-zA-Z])(?:な(?:ん|の))?ですけれ?ど(?:も)?(?:、?(?:これ|それ)は?、?|、|(?=[一-鿿ァ-ヴー]))"
        ),
        "は、",
    ),
    (re.compile(r"(?<=[一-鿿ァ-ヴーa-zA-Z])(?:な(?:ん|の))?ですが(?:、|(?=[一-鿿ァ-ヴー\d]))"), "は、"),
    (re.compile(r"(?<=[一-鿿ァ-ヴーa-zA-Z])って(?=どう|どこ|いつ|誰|何|決|いくら|まだ)"), "は"),
    (re.compile(r"(?:、|という(?:こと|形)?)で(?:いい|よい|よろしい|大丈夫|構わない)(?:です|でしょう)か[。?？]?$"), ""),
    (
        re.compile(r"て(?:いただく|もらう)(?:こと|形)(?:に|で)(?:なります|なる|します|したい|お願いします).*$"),
        "てください",
    ),
)
_ASK_FOR = re.compile(
    r"(?:を|も|は|で|に|と|、)*(?:お願い(?:し(?:ます|たい|ましょう|て)|いたし|致し|でき|ね|です|なん|申し上げ)[^、。]{0,20}|お願い(?:する)?"
    r"|頼(?:みます|む|める|みたい)[^、。]{0,12})[。、]?$"
)


def strip_lead(text: str) -> str:
    """Without では, じゃあ, はい … at the start and 〜と思います, 〜ですけど at the end."""
    previous = None
    while previous != text:
        previous = text
        text = _TAIL.sub("", _LEAD.sub("", text.strip()))
    return text


def plain(text: str, *, keep_past: bool = True) -> str:
    """The clause with its last predicate in dictionary form; a plain past (可決された) stays unless told otherwise."""
    text = strip_lead(text)
    for pattern, written in _POLITE_INSIDE:
        text = pattern.sub(written, text)
    asked = _ASK_FOR.sub("", text)
    if asked and asked != text:
        return _noun_end(asked)
    found = [w for w in words(text) if w.kind not in ("空白",)]
    return _predicate(text, found, keep_past) if found else text


def _noun_end(text: str) -> str:
    """確認をお願いします → 確認する after a case particle; 事前相談をお願いします stays a noun phrase."""
    text = re.sub(r"(?:んで?|ので|から)$", "", text.rstrip("、。 "))
    found = words(text)
    if not found:
        return text
    last = found[-1]
    if last.text == "て" or last.kind in ("動詞", "助動詞"):
        return plain(text)
    before = next((w for w in reversed(found[:-1]) if w.kind not in ("名詞", "接尾辞", "接頭辞")), None)
    verbal = "サ変可能" in last.pos[2]
    return text + "する" if verbal and before is not None and before.text not in ("の", "な", "た") else text


def _predicate(text: str, found: Sequence[Word], keep_past: bool) -> str:
    """Walks back over endings and helping verbs to the main verb and gives it its dictionary form."""
    index, negative, past, lasting = len(found) - 1, False, False, -1
    while index >= 0:
        word = found[index]
        if word.base in ("ない", "ぬ", "ん") and word.kind == "助動詞":
            negative = (
                index == 0 or found[index - 1].base not in _GIVING
            )  # いただけないでしょうか asks, it does not deny
        elif word.base == "た" and word.kind == "助動詞":
            past = keep_past
        elif not _is_ending(found, index):
            break
        lasting = word.start if word.base in ("てる", "でる") else lasting
        index -= 1
    if index < 0:
        return text
    if negative and lasting >= 0:  # 決まってない → 決まっていない
        return f"{text[: lasting + 1]}いない"
    return _conjugated(text, found, index, negative=negative, past=past)


def _is_ending(found: Sequence[Word], index: int) -> bool:
    word = found[index]
    before = found[index - 1] if index else None
    if word.kind in ("補助記号", "記号", "空白") or (word.kind == "助詞" and word.pos[1] in ("終助詞", "準体助詞")):
        return True
    if word.kind == "助詞" and word.pos[1] == "接続助詞":
        return word.text not in ("て", "で") or index == len(found) - 1 or found[index + 1].base in _SUPPORT
    if (
        word.kind == "助詞"
        and word.text in ("か", "も", "は")
        and index + 1 < len(found)
        and found[index + 1].base in _SUPPORT
    ):
        return True
    if word.kind == "助動詞" and word.base in _SOFT:
        return True
    if word.base in _SUPPORT and before is not None:
        return (
            before.text in ("て", "で", "も", "と") or before.base in ("とく", "おく", "ます") or word.base in _GIVING
        )
    return False


def _conjugated(text: str, found: Sequence[Word], index: int, *, negative: bool, past: bool) -> str:
    word = found[index]
    if word.kind == "助動詞" and word.base in ("れる", "られる", "せる", "させる"):
        end = "た" if past and not negative else word.base[-1]
        stem = text[: word.start] + word.base[:-1]
        return stem + ("ない" if negative else end)
    if word.base in ("する", "いたす", "致す") and word.kind == "動詞":
        return _suru(text, found, index, negative=negative)
    if word.kind == "動詞":
        head, base = _drop_prefix(text, found, index), _verb(found, index)
        if negative:
            return head + _negative(word)
        return head + (
            base
            if not past
            else text[word.start : word.end] + found[index + 1].text
            if _plain_past(found, index)
            else base
        )
    if word.kind == "名詞" and index + 1 < len(found) and found[index + 1].base in _GIVING | {"願う", "する"}:
        verbal = "サ変可能" in word.pos[2] or found[index - 1].text in ("お", "ご")
        return _drop_prefix(text, found, index) + word.text + ("する" if verbal else "")
    return text[: word.end]


def _plain_past(found: Sequence[Word], index: int) -> bool:
    return index + 1 < len(found) and found[index + 1].base == "た"


def _negative(word: Word) -> str:
    """増やす → 増やさない, 変える → 変えない, 来る → 来ない, ある → ない."""
    if word.base == "ある":
        return "ない"
    kind = word.pos[4]
    if kind.startswith("五段"):
        return word.base[:-1] + word.base[-1].translate(_A_ROW) + "ない"
    return {"する": "しない", "来る": "来ない"}.get(word.base, word.base[:-1] + "ない")


def _suru(text: str, found: Sequence[Word], index: int, *, negative: bool) -> str:
    """お配りします → 配る, 確認いたします → 確認する, 例外とします → 例外とする."""
    before = found[index - 1] if index else None
    ending = "しない" if negative else "する"
    if before is not None and index > 1 and found[index - 2].text in ("お", "ご"):
        head = text[: found[index - 2].start]
        if before.kind == "動詞":
            return head + (_negative(before) if negative else before.base)
        return head + before.text + ending
    return text[: found[index].start] + ending


def _drop_prefix(text: str, found: Sequence[Word], index: int) -> str:
    first = index - 1 if index and found[index - 1].text in ("お", "ご") else index
    return text[: found[first].start]


def _verb(found: Sequence[Word], index: int) -> str:
    """The dictionary form; 改定を行って is 行う, not 行く."""
    word = found[index]
    before = found[index - 1].text if index else ""
    return "行う" if word.base == "行く" and word.text == "行っ" and before in ("を", "は", "も", "、") else word.base


_KOTO = re.compile(
    r"^(?P<head>.{4,}?[うくぐすつぬぶむるい](?<!という))(?:という)?こと(?:に|で|と)(?:は)?(?:決定|決め|決ま|合意|なり|なっ|いたし|致し|し(?:ま|よ|た|と)|する|させて|進め|いき|行き|お願い|よろしい|いい|異議|確認).*$"
)
_TO_IU_KOTO = re.compile(
    r"^(?P<head>.{4,}?)という(?:こと|形|方向|方針|ルール|感じ)(?:で|に)(?:、)?(?P<rest>(?:よろしい|いい|決|合意|進め|いき|行き|お願い|し(?:ま|よ|た)|いたし|異議|問題|大丈夫|どう|$).*)$"
)
_DECIDED = re.compile(
    r"(?:(?:に|と|で)(?:決定|決め|合意)(?:いたし|致し|し|とし)?(?:ます|ました|ましょう|たい|させて|よう).*|で(?:決まり|決定|確定|合意)(?:です|だ|で)?.*)$"
)
_PROPOSED = re.compile(
    r"(?:のは|のが|(?<=[てで])は|たら|案(?:は|が|も|で)|形(?:は|で)|こと(?:は|で)|など)?(?:、)?(?:どう|いかが)(?:でしょう|です|かな|だろう|か|$).*$|(?<=[てで])は(?=という)|とか$|(?:ほう|方)?が(?:いい|良い|よい|望ましい)(?:の)?(?:か|と|で|ん|です|ね|な|$).*$|(?:の|ん)(?:では|じゃ)(?:ない|あり).*$|という(?:案|手|方法|選択肢|のも|意見).*$|かもしれ.*$|べき.*$"
)
_NP_END = re.compile(r"(?:です|でございます|だ|ですね|ですが|になります)$")


_ALLOWED = re.compile(
    r"(?<=[てで])も(?:、)?(?:よろし|いい|よい|良い|大丈夫|構|問題|差し支え).*$"
)  # 変えてもいいですか → 変える
_SETTLED = re.compile(r"、?これ(?:は|で)(?:決まり|決定)(?:です|だ)?(?:ね|よ|で)*[。]?$")
_TAKEN_BACK = re.compile(
    r"^(?:さっき|先ほど|先程|前)の[^、。]{1,14}は(?:なし|やめ|取り消し|撤回)し?(?:で|に(?:して)?|て|、)*、?"
)


def decision_text(text: str) -> str:
    """A decision as a written clause: では、A案で進めることに決定いたします → A案で進める."""
    text = strip_lead(_TAKEN_BACK.sub("", strip_lead(text)))
    text = _ALLOWED.sub("", _SETTLED.sub("", _OBJECTIONS.sub("", text)))
    for pattern in (_KOTO, _TO_IU_KOTO):
        if match := pattern.match(text):
            return _NP_END.sub("", plain(match["head"]))
    shorter = _DECIDED.sub("", text)
    if len(shorter) >= 6 and shorter != text:
        return _NP_END.sub(
            "",
            plain(shorter)
            if re.search(r"[るすくうつむぶぐい]$", shorter)
            else shorter + text[len(shorter)] + "する"
            if text[len(shorter)] in "とに"
            else shorter,
        )
    return _NP_END.sub("", plain(text))


_OBJECTIONS = re.compile(
    r"(?:こと)?(?:について(?:は)?|に関して|に|で)、?ご?(?:異議|異論|反対)(?:は|の方は)?(?:ござい|あり|ない).*$"
)
_INVITED = re.compile(r"ませんか(?:ね)?[。?？]?$")  # 作りませんか proposes to make it
_WISHED = re.compile(
    r"^(.{4,}?たい)(?:の|ん)?(?:です)?(?:が|けど|けれども?|ので|んで)、.*$"
)  # what follows is the reason or the price


def proposal_text(text: str) -> str:
    """What a proposal proposes: 契約を二年にするのはどうでしょうか → 契約を二年にする."""
    text = _INVITED.sub("ます", _OBJECTIONS.sub("", _WISHED.sub(r"\1", strip_lead(text))))
    shorter = re.sub(r"という(?:こと)?(?:で|に)?$", "", _PROPOSED.sub("", text))
    return _NP_END.sub("", plain(shorter, keep_past=False)) if len(shorter) >= 4 else decision_text(text)


def question_text(text: str) -> str:
    """A question as a written one: 受付は誰が担当しますか → 受付は誰が担当するか."""
    bare = _topic_marked(re.sub(r"[?？。\s]+$", "", text))
    for pattern, written in _POLITE_INSIDE:
        bare = pattern.sub(written, bare)
    if whether := re.match(r"^(.{4,}?かどうか)(?:って|は|が|も|を|、)", bare):
        return whether[1]
    if re.search(r"(?:ますか|ましょうか|ますかね|ましたか|ましたっけ|ますっけ)$", bare):
        core = re.sub(r"(?:か(?:ね|な)?|っけ)$", "", bare)
        return plain(core, keep_past=False) + "か"
    if re.search(r"(?:です|でした|でしょう)(?:か|かね|っけ)$", bare):
        return re.sub(r"(?:なん|の|ん)?(?:です|でした|でしょう)(?:か|かね|っけ)$", "", bare) + "か"
    return plain(bare, keep_past=False)


def _topic_marked(text: str) -> str:
    """契約って更新するんですか → 契約は…; the って of 帰って is no particle."""
    for word in reversed(words(text)):
        if word.text == "って" and word.kind == "助詞" and word.end < len(text):
            text = f"{text[: word.start]}は{text[word.end :]}"
    return text


_POLITE_END = (
    (re.compile(r"でした$"), "だった"),
    (re.compile(r"(?:の|ん)?でございます$"), "である"),
    (re.compile(r"(?:の|ん)?です(?:よ|ね|が)*$"), ""),
    (re.compile(r"(?:ので|から|けど|が)$"), ""),
)


def statement_text(text: str) -> str:
    """A report as a written clause: 十四件ありました → 十四件あった; 六十二パーセントです → 六十二パーセント."""
    text = strip_lead(text)
    for pattern, written in _POLITE_INSIDE:
        text = pattern.sub(written, text)
    found = words(text)
    if found and found[-1].base in ("ます", "た", "ぬ") and "まし" in "".join(w.text for w in found[-3:]) + text[-4:]:
        return _past(text, found)
    for pattern, written in _POLITE_END:
        text = pattern.sub(written, text)
    return plain(text) if re.search(r"(?:ます|ません|ましょう)$", text) else text


def _past(text: str, found: Sequence[Word]) -> str:
    """ありました → あった by the verb's own past form; where that is not regular the text stays polite."""
    if not text.endswith("ました") or len(found) < 3:
        return text
    verb = found[-3]
    stem = text[: verb.start]
    if verb.kind == "助動詞":  # られました, れました, せました
        return text[: -len("ました")] + "た"
    if verb.base in ("する", "いたす"):
        return stem + "した"
    if verb.pos[4].startswith("五段"):
        ends = {
            "う": "った",
            "つ": "った",
            "る": "った",
            "む": "んだ",
            "ぶ": "んだ",
            "ぬ": "んだ",
            "く": "いた",
            "ぐ": "いだ",
            "す": "した",
        }
        return stem + ("行った" if verb.base == "行く" else verb.base[:-1] + ends[verb.base[-1]])
    return text[: -len("ました")] + "た"
