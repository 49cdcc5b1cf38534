"""Japanese names of persons: cues first, word lists second, the tagger as evidence; firms and places are taken out.

The steps, from sure to less sure: what stands after a label (氏名:), what stands before an honorific (様, 部長), family
and given name together, a family name alone with human company. A name found once is found again in the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors import companies, person_cues
from gateway.guardrails.detectors.names import (
    KATAKANA_OTHER,
    PLACES,
    ambiguous,
    given_like,
    kana_given,
    kana_surnames,
    katakana,
    surnames,
)
from gateway.guardrails.detectors.person_bare import again, bare
from gateway.guardrails.detectors.person_reader import KANJI, Reader, left_border
from gateway.guardrails.literals import Finder
from gateway.guardrails.tagger import kinds
from gateway.guardrails.view import Hit, View

_HAS_NAME = re.compile(r"[一-龠々ァ-ヴぁ-ん]{1,}")
_GIVEN = re.compile(rf"(?P<gap>[ ]?|\n)(?P<given>{KANJI}{{1,4}}|[ァ-ヴー]{{2,6}}|[ぁ-ん]{{2,5}})")
_SPACED_GIVEN = re.compile(rf"[ ]?(?:{KANJI}{{1,3}}[ぁ-ん]?|[ァ-ヴー]{{2,8}}|[ぁ-ん]{{2,6}})(?![一-龠々ァ-ヴー])")
_VALUE = re.compile(
    rf"(?P<value>{KANJI}{{1,6}}(?:[ ]{{1,2}}(?:{KANJI}{{1,4}}[ぁ-ん]?|[ぁ-ん]{{2,6}}|[ァ-ヴー]{{2,8}}))?|[ァ-ヴー]{{2,10}}(?:[ ・=]{{1,2}}[ァ-ヴー]{{1,12}}){{0,3}}|"
    rf"[ぁ-んー]{{2,8}}(?:[ ][ぁ-んー]{{2,8}})?)"
)
_LABELLED = re.compile(
    rf"(?<![一-龠々ァ-ヴー])(?P<label>{person_cues.STRONG_LABEL})(?:様|さん)?(?:\s?\([^)\n]{{1,12}}\))?[\"'」】\])]?(?P<joint>\s?[::=]\s{{0,3}}|[ \t]{{1,10}}|[「『\"']|は[、「]?|が)[\"'「『]?{_VALUE.pattern}"
)
_LIST_ITEM = re.compile(rf"(?:\s?(?:\([^)]{{1,20}}\))?\s?[、,・/;]\s?){_VALUE.pattern}")
_NOT_A_NAME = re.compile(
    r"(?:不明|未定|未記入|なし|無し|有り|別紙|同上|匿名|非公開|省略|各位|必須|任意|空欄|欄|記入|記載|本人|同じ|要確認|確認|全員|全角|半角|漢字|カタカナ|ひらがな|以下|下記|上記|右記|後日|予定|様式|変更|登録|"
    r"住所|電話|番号|年齢|性別|生年月日|職業|会社|部署|役職|所属|備考|男性|女性|男|女|東京|大阪|日本|営業|総務|経理|人事|企画|開発|本社|支店|本部|事務局|担当|当社|弊社|当行|先方|御社|貴社|部長|課長|社長|次長|係長|"
    r"可能|不可|必要|不要|完了|未完|対応|対象|管理|一覧|自由|平日|土日|終日|午前|午後|今回|次回|前回|当日|本日|明日|昨日|出席|欠席|参加|資料|会議|以外|以上|それ|これ|あれ|だれ|どなた|誰|どちら|ください|します|"
    r"について|による|として|および|または|ない|いる|ある|する|され|した|して|です|ます|こと|もの|ため|とき|よう|さん|さま|ほか|など|まで|から|より|だけ|のみ|ご連絡|お問|株式会社|有限会社)"
)
_FOREIGN = re.compile(r"[ァ-ヴー]{2,}(?:[・=][ァ-ヴー]{1,}){1,3}")
_BROKEN = re.compile(rf"(?P<name>{KANJI}{{1,2}}\n{KANJI}{{1,2}})(?=様|さん|氏|殿|先生|部長|課長|社長|次長|主任)")
_SIGNED = re.compile(rf"(?:※|\(|文責|[\n ]|\A)[: ]?(?P<name>{KANJI}{{1,4}})(?:記|拝|筆)(?=\Z|[\s)。])")
_SIGNATURE = re.compile("[記拝筆]")
_READ_HONORIFIC = re.compile(rf"(?P<name>{KANJI}{{1,6}}(?:[ ]{KANJI}{{1,4}})?)\s?\([ぁ-んァ-ヴー ]{{2,14}}\)\s?(?:様|さま|さん|氏|殿|先生|君|くん)")
_KANA_PAIR = re.compile(r"(?P<family>[ァ-ヴー]{2,6})[ ]?(?P<given>[ァ-ヴー]{2,6})(?![ァ-ヴー])")


def detect(view: View) -> Iterator[Hit]:
    if not _HAS_NAME.search(view.text):
        return
    reader = Reader(view)
    _labels(reader)
    _honorifics(reader)
    _full_names(reader)
    _kana_names(reader)
    _relatives(reader)
    bare(reader)
    again(reader)
    yield from reader.found.values()


def _at(pattern: re.Pattern[str], text: str, starts: list[int], *, blank_before: bool = False) -> Iterator[re.Match[str]]:
    """Matches of ``pattern`` at the given places only, or at the blank before them."""
    for start in starts:
        begin = start - 1 if blank_before and text[start - 1 : start] == " " else start
        match = pattern.match(text, begin)
        if match:
            yield match


# --- after a label -------------------------------------------------------------------------------------------------


def _labels(reader: Reader) -> None:
    for match in _at(_LABELLED, reader.text, person_cues.LABELS.starts(reader.text)):
        sure = re.search(r"名|ガナ|がな|name", match["label"], re.IGNORECASE) is not None and match["joint"].strip() != ""
        end = _take(reader, match.start("value"), match["value"], sure, match["joint"])
        if not end:
            continue
        while item := _LIST_ITEM.match(reader.text, end):
            end = _take(reader, item.start("value"), item["value"], False, "、")
            if not end:
                break
    for match in re.finditer(_VALUE.pattern, reader.text) if reader.view._cells else ():
        heading = reader.view.heading(match.start())
        if re.fullmatch(person_cues.STRONG_LABEL, heading) and not re.search(r"会社|法人|店", heading):
            _take(reader, match.start("value"), match["value"], True, ":")


def _take(reader: Reader, start: int, value: str, sure: bool, joint: str) -> int:
    """Add the name at ``start`` if the value can be one; where it ends, or 0."""
    end = _name_end(reader, start, value, sure and joint.strip(" ") != "が")
    if end and not reader.in_firm(start, end) and not companies.firm_follows(reader.text, end):
        reader.add(start, end, "person.label", 0.93 if sure else 0.85)
        return end
    return 0


def _name_end(reader: Reader, start: int, value: str, sure: bool) -> int:
    """How far a labelled value is a name: family and given name, family name alone, or (when sure) all of it."""
    text = reader.text
    if _NOT_A_NAME.match(value):
        return 0
    head = re.match(rf"{KANJI}+", value)
    if head is None:
        return _kana_end(reader, start, value, sure)
    full = _full_at(reader, start, spaced=True)
    if full:
        return full
    for size in range(min(len(head[0]), 5), 0, -1):
        if value[:size] in surnames() or (size > 1 and {"family", "person"} & kinds(value[:size])):
            rest = text[start + size : start + size + 1]
            if size < len(head[0]) and not person_cues.HONORIFIC_NEXT.match(text, start + size):
                continue
            return start + size if not (rest and re.match(r"[ァ-ヴー]", rest)) else 0
    if sure and 2 <= len(value) <= 9 and not companies.firm_follows(text, start + len(value)):
        nouns = kinds(value) & {"noun", "place"}
        return 0 if nouns else start + len(value)
    return start + len(head[0]) if given_like(head[0]) and _relation_label(text, start) else 0


def _relation_label(text: str, start: int) -> bool:
    return person_cues.FAMILY_RELATION.search(text[max(0, start - 8) : start].rstrip(": 「")) is not None


def _kana_end(reader: Reader, start: int, value: str, sure: bool) -> int:
    parts = re.split(r"[ ・=]+", value)
    known = any(katakana(part) in kana_surnames() or katakana(part) in kana_given() or _personal(part) for part in parts)
    if value in KATAKANA_OTHER or ("noun" in kinds(value) and not known):
        return 0
    if re.match(r"[ぁ-ん]", value):
        size = _hiragana_name(reader, start, value)
        return start + size if size else 0
    if known or (sure and (len(parts) > 1 or len(value) <= 6)) or "・" in value:
        return start + len(value)
    return 0


def _personal(word: str) -> bool:
    return bool({"family", "given", "person"} & kinds(word))


def _hiragana_name(reader: Reader, start: int, value: str) -> int:
    """How many hiragana from ``start`` are a family name, a given name or both."""
    for size in range(len(value), 1, -1):
        word = value[:size]
        if " " in word:
            family, _, given = word.partition(" ")
            if katakana(family) in kana_surnames() and len(given) >= 2:
                return size
        elif any(katakana(word[:cut]) in kana_surnames() and katakana(word[cut:]) in kana_given() for cut in range(2, size - 1)):
            return size
    for size in range(len(value), 1, -1):
        if katakana(value[:size]) in kana_surnames() and person_cues.HONORIFIC_NEXT.match(reader.text, start + size):
            return size
    return 0


# --- before an honorific -------------------------------------------------------------------------------------------


def _honorifics(reader: Reader) -> None:
    for match in _BROKEN.finditer(reader.text) if "\n" in reader.text else ():
        if match["name"].replace("\n", "") in surnames():
            reader.add(*match.span("name"), "person.honorific", 0.85)
    for match in _READ_HONORIFIC.finditer(reader.text) if "(" in reader.text else ():
        if _is_name(match["name"]):
            reader.add(*match.span("name"), "person.honorific", 0.9)
    for match in _SIGNED.finditer(reader.text) if _SIGNATURE.search(reader.text) else ():
        if match["name"] in surnames() and match["name"] not in PLACES:
            reader.add(*match.span("name"), "person.signed", 0.8)
    starts = person_cues.HONORIFIC_WORDS.starts(reader.text)
    for match in _at(person_cues.HONORIFIC, reader.text, [_shifted(reader.text, s) for s in starts], blank_before=True):
        start = _name_before(reader, match.start(), soft=match["soft"] is not None)
        if start is not None and not reader.in_firm(*start):
            reader.add(*start, "person.honorific", 0.92 if match["soft"] else 0.86)


def _shifted(text: str, start: int) -> int:
    """Where the role begins when its first character belongs to the name: 松本 部長, not 松 本部長."""
    if text[start] in "本元副前新" and any(text[start - size : start + 1] in surnames() for size in (1, 2)):
        return start + 1
    return start


def _name_before(reader: Reader, end: int, *, soft: bool) -> tuple[int, int] | None:
    """Start and end of the name before the honorific at ``end``; None when there is none."""
    left = reader.text[max(0, end - 24) : end]
    if not soft:
        rank = _RANK_PREFIX.search(left)
        left = left[: rank.start()] if rank else left
        end -= len(rank[0]) if rank else 0
    offset = end - len(left)
    if soft and _no_name(reader.text, left, end):
        return None
    for find in (_kanji_before, _katakana_before, _hiragana_before, _latin_before):
        size = find(reader, left, end, soft)
        if size is not None:
            return (offset + len(left) - size, offset + len(left)) if size else None
    return None


def _no_name(text: str, left: str, end: int) -> bool:
    """お客様, 皆さん, 仕様: unless the kanji are a family name (宇都宮様, 庄子さん)."""
    run = re.search(rf"{KANJI}+\Z", left)
    if run and len(run[0]) >= 2 and run[0] in surnames():
        return False
    formal = text[end : end + 2].strip()[:1] in "様殿君氏"
    return person_cues.NOT_NAMED.search(left) is not None or (formal and person_cues.NOT_FORMAL.search(left) is not None)


_RANK_PREFIX = re.compile(r"(?:次席|首席|主席|筆頭|上級|上席|特命|統括|総括|常任|専任|副|元|前|新)\Z")


def _kanji_before(reader: Reader, left: str, end: int, soft: bool) -> int | None:
    match = re.search(rf"(?:({KANJI}+)[ ])?({KANJI}+)\Z", left)
    if match is None:
        return None
    run, first = match[2], match[1] or ""
    if first:
        for size in range(min(5, len(first)), 0, -1):
            known = first[-size:] in surnames() or "family" in kinds(first[-size:])
            if known and (given_like(run) or (soft and len(run) <= 2 and not kinds(run) & {"suffix"})) and _free(first[:-size]):
                return size + 1 + len(run)
    if not soft and run not in surnames() and "noun" in kinds(run):
        return 0
    if not soft and (run in _NO_PERSON or re.search(rf"(?:{person_cues.ROLES})\Z", run)):
        return 0
    for size in range(min(8, len(run)), 0, -1):
        if _is_name(run[-size:]) and _free(run[:-size]) and not (not soft and _office(reader.text, run[-size:], end)):
            return size
    return _unknown(run, soft)


def _office(text: str, name: str, end: int) -> bool:
    """成田市長 is the mayor of a place, 友納知事 a person; 前, 新 and the like before a role are no names."""
    place = name in PLACES or "place" in kinds(name)
    return (len(name) == 1 and name in "前新元副現各同両全本町村市区県国") or (place and re.match(r"[ ]?(?:市長|町長|村長|区長|知事|議員|支店長|支社長|工場長|所長|支部長|局長|代表)", text[end:]) is not None and name in PLACES)


_NO_PERSON = frozenset("関東 関西 東北 九州 中部 北海道 四国 中国 中央 東 西 南 北 本 原 前 新 元 副 現 各 同 両 全 町 村 市 区 県 国 部 課 総 上海 香港 海外".split())
_LEAD = re.compile(rf"(?:{person_cues.ROLES}|担当|弊社|当社|当行|故|元|前|新任|患者|受診者|社員|部|課|室|係|支店|[のはがをにとへも])\Z")


def _free(before: str) -> bool:
    """The kanji before a name are no part of it: nothing, or a role or department."""
    return not before or _LEAD.search(before) is not None or (len(before) >= 2 and "noun" in kinds(before))


def _is_name(word: str) -> bool:
    if word in surnames() or "family" in kinds(word):
        return True
    return any(
        (word[:cut] in surnames() or "family" in kinds(word[:cut])) and given_like(word[cut:])
        for cut in range(min(5, len(word) - 1), 0, -1)
    )


def _unknown(run: str, soft: bool) -> int | None:
    """Kanji before 様 or さん that no list knows: a name unless the dictionary has them as words."""
    if not soft or not 2 <= len(run) <= 5:
        return 0
    known = kinds(run)
    if known & {"given", "person"}:
        return len(run)
    return 0 if known or len(run) > 4 else len(run)


def _katakana_before(reader: Reader, left: str, end: int, soft: bool) -> int | None:
    match = re.search(r"[ァ-ヴー]{2,}(?:[ ・=][ァ-ヴー]{2,}){0,3}\Z", left)
    if match is None:
        return None
    word = match[0]
    if word in KATAKANA_OTHER or re.split(r"[ ・]", word)[-1] in KATAKANA_OTHER:
        return 0
    parts = re.split(r"[ ・=]", word)
    known = any(p in kana_surnames() or p in kana_given() or (_personal(p) and "noun" not in kinds(p)) for p in parts)
    if (known or "・" in word) and (soft or "noun" not in kinds(parts[-1]) or parts[-1] in kana_surnames()):
        return len(word)
    return len(word) if soft and not kinds(word) and len(word) <= 8 else 0


def _hiragana_before(reader: Reader, left: str, end: int, soft: bool) -> int | None:
    match = re.search(r"(?:[ぁ-んー]{2,6}[ ])?[ぁ-んー]{2,10}\Z", left)
    if match is None or not soft:
        return None
    word = match[0]
    for size in range(min(10, len(word)), 1, -1):
        name = katakana(word[-size:].replace(" ", ""))
        if any(name[:cut] in kana_surnames() and name[cut:] in kana_given() for cut in range(2, len(name) - 1)):
            return size
    for size in range(min(6, len(word)), 1, -1):
        name = katakana(word[-size:])
        border = len(word) == size or end - size in reader.starts
        if border and (name in kana_surnames() or name in kana_given()) and len(name) >= 2 and _spoken_border(word[:-size]):
            return size
    return 0


def _spoken_border(before: str) -> bool:
    return not before or before[-1] in "はがをにのともでへ" or before.endswith(("から", "まで", "より", "って"))


def _latin_before(reader: Reader, left: str, end: int, soft: bool) -> int | None:
    match = re.search(r"(?<![A-Za-z])[A-ZÀ-Þ][A-Za-zÀ-ɏḀ-ỿ'’-]+(?:[ .]{1,2}[A-ZÀ-Þ][A-Za-zÀ-ɏḀ-ỿ'’.-]*){0,3}\Z", left)
    if match is None or not soft:
        return None
    return 0 if re.fullmatch(r"[A-Z&]{1,5}", match[0]) else len(match[0])


# --- family and given name ------------------------------------------------------------------------------------------


def _full_at(reader: Reader, start: int, *, spaced: bool = False) -> int:
    """The end of a full name that starts at ``start`` with a listed family name; 0 if there is none."""
    text = reader.text
    for size in range(5, 0, -1):
        family = text[start : start + size]
        if len(family) == size and (family in surnames() or "family" in kinds(family)):
            end = _given_end(reader, start, start + size)
            if end:
                return end
    return 0


def _given_end(reader: Reader, start: int, family_end: int) -> int:
    """The end of the given name behind a family name, or 0."""
    text = reader.text
    match = _GIVEN.match(text, family_end)
    if match is None or match["gap"] == "\n":
        return 0
    run, begin = match["given"], match.start("given")
    for size in range(len(run), 0, -1):
        end = begin + size
        if not _ends_name(reader, end, bool(match["gap"])) or person_cues.HONORIFIC_NEXT.match(run[:size]):
            continue
        if _given_fits(reader, text[start:family_end], run[:size], begin, spaced=bool(match["gap"])):
            return end
    return 0


def _given_fits(reader: Reader, family: str, given: str, begin: int, *, spaced: bool) -> bool:
    """The dictionary, the tagger or the characters say that a given name stands here."""
    if re.match(r"[ぁ-んァ-ヴ]", given):
        sure = spaced and re.match(r"[ァ-ヴ]", given) and len(given) <= 4 and family in surnames() and not ambiguous(family)
        return (given_like(given) and (spaced or katakana(given) in kana_given())) or bool(sure and not kinds(given) & {"noun"})
    if given_like(given):
        return spaced or _joined_given(reader, family, begin, begin + len(given), given)
    exact = not re.match(rf"{KANJI}", reader.text[begin + len(given) : begin + len(given) + 1])
    listed = len(family) >= 2 and family in surnames() and not ambiguous(family)
    if len(given) not in (2, 3) or given[-1] in _NO_GIVEN_END:
        return False
    return exact and listed and not kinds(given) and not companies.firm_follows(reader.text, begin)


# No given name ends like this; what does is a building, an office or a place.
_NO_GIVEN_END = frozenset(
    "署場園系部通会店所局社院館校線駅池祭寺宮塔港湾岬沢森林村町市区県州国島山川湖岸浜橋坂谷原丘台塚堂門殿城跡庫車船機器具材料街路側方面式型版号室棟階分課係金費税額率数量品物業界圏群族派党軍隊団組権法案件書紙誌本店屋家流戦"
)


def _ends_name(reader: Reader, end: int, spaced: bool) -> bool:
    """No word runs on behind the given name."""
    follow = reader.text[end : end + 1]
    if not follow or not re.match(r"[一-龠々ァ-ヴー]", follow):
        return not (re.match(r"[ぁ-ん]", reader.text[end - 1 : end]) and re.match(r"[ぁ-ん]", follow) and end not in reader.ends)
    return person_cues.HONORIFIC_NEXT.match(reader.text, end) is not None or (spaced and end in reader.ends)


def _joined_given(reader: Reader, family: str, middle: int, end: int, given: str) -> bool:
    """Family and given name written together: the tagger agrees, or both are long enough to be no accident."""
    position = middle
    while position < end and position in reader.starts and reader.starts[position].kind in ("given", "family", "person"):
        position = reader.starts[position].end
    if position == end:
        return True
    start = middle - len(family)
    if start in reader.starts and reader.starts[start].end > middle:
        return False  # one longer word
    return len(family) >= 2 and (len(given) >= 2 or family not in PLACES) and not kinds(given) & {"noun", "suffix"}


def _full_names(reader: Reader) -> None:
    for start, end in reader.families:
        if reader.taken(start, end) or reader.in_firm(start, end) or not _full_border(reader, start, end):
            continue
        stop = _given_end(reader, start, end)
        if stop and not companies.AFTER.search(reader.text, end, stop) and not companies.firm_follows(reader.text, stop) and not _place_before_thing(reader, start, end):
            reader.add(start, stop, "person.full", 0.85)


def _full_border(reader: Reader, start: int, end: int) -> bool:
    """With a given name behind it, a family name may also follow a noun: 借主長嶺 徹."""
    if left_border(reader, start):
        return True
    before, token = reader.ends.get(start), reader.starts.get(start)
    return before is not None and before.kind == "noun" and token is not None and token.kind in ("family", "place") and end - start >= 2


def _place_before_thing(reader: Reader, start: int, end: int) -> bool:
    """東 大輔 is a person, 東 京 or 中央 一 is not: single characters need a given name of two."""
    return end - start == 1 and not re.match(rf"[ ]?(?:{KANJI}{{2}}|[ァ-ヴー]{{2}})", reader.text[end:])


# --- kana -----------------------------------------------------------------------------------------------------------


def _kana_names(reader: Reader) -> None:
    for match in _KANA_PAIR.finditer(reader.text):
        family, given = match["family"], match["given"]
        if family in kana_surnames() and given in kana_given() and not reader.taken(*match.span()):
            if " " in match[0] or len(match[0]) >= 6:
                reader.add(*match.span(), "person.kana", 0.82)
    for match in _FOREIGN.finditer(reader.text):
        if _foreign_person(re.split(r"[・=]", match[0])) and not reader.in_firm(*match.span()):
            if not re.match(r"[一-龠々]", reader.text[match.end() : match.end() + 1]):
                reader.add(*match.span(), "person.foreign", 0.7)


def _foreign_person(parts: list[str]) -> bool:
    """マイケル・ブラウン: a given name first, no thing or place among the parts."""
    first, last = kinds(parts[0]), kinds(parts[-1])
    if len(parts) > 3 or not {"given", "person"} & first or {"place", "noun"} & first:
        return False
    return not {"noun", "proper"} & last or bool({"family", "given", "person"} & last)


_RELATIVE = re.compile(
    rf"(?P<who>{person_cues.RELATIONS})(?P<joint>の|、|:|は|が|[ ])?(?P<name>{KANJI}{{1,3}}|[ァ-ヴー]{{2,6}}|[ぁ-ん]{{2,4}}|[ぁ-ん]{{1,3}}[子代美江枝])(?![一-龠々ァ-ヴー])"
)
_RELATION_WORDS = Finder(person_cues.RELATIONS)
_KANA_AND_KANJI = re.compile(r"[ぁ-ん]{1,3}[子代美江枝]")  # ふみ子, きよ江
_JOINED_RELATION = frozenset("新郎 新婦 長男 次男 三男 長女 次女 三女 妻 夫".split())
_AFTER_GIVEN = re.compile(r"[をがはと、。のもに)」\s]|\Z")


def _relatives(reader: Reader) -> None:
    """妻の千鶴, 長男 悠斗: a given name alone after a relation."""
    for match in _RELATIVE.finditer(reader.text) if _RELATION_WORDS.starts(reader.text) else ():
        name = match["name"]
        kana = re.match(r"[ぁ-んァ-ヴ]", name) is not None and (katakana(name) in kana_given() or _KANA_AND_KANJI.fullmatch(name) is not None)
        noun = "noun" in kinds(name) and not kana and (len(name) > 1 or not match["joint"])
        if _NOT_A_NAME.match(name) or not (kana or given_like(name)) or noun:
            continue
        if match["joint"] or (match["who"] in _JOINED_RELATION and _AFTER_GIVEN.match(reader.text, match.end())):
            reader.add(*match.span("name"), "person.relative", 0.78)
