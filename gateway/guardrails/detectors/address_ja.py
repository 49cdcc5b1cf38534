"""Japanese addresses: prefecture, municipality, town, 丁目・番地・号, building and room; each part may be missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors.shapes import Label
from gateway.guardrails.literals import Finder, Prefilter, matches_from
from gateway.guardrails.view import Hit, View

_PREFECTURE = (
    r"(?:東京都|北海道|(?:大阪|京都)府|(?:神奈川|和歌山|鹿児島|青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|新潟|富山|石川|福井|山梨|長野|"
    r"岐阜|静岡|愛知|三重|滋賀|兵庫|奈良|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡|佐賀|長崎|熊本|大分|宮崎|沖縄)県)"
)
_W = r"[一-龠々〆ヵヶケノぁ-んァ-ヴー]"  # characters of place names
_K = r"[一-龠々ヶケノツ]"
_CITY = (
    rf"(?:{_K}{{1,4}}郡{_W}{{1,6}}?[町村]|(?:(?!市|区){_W}){{1,6}}?市(?![場民役営況内外販価])(?:(?!区){_W}){{1,4}}?区(?![分間域画切別])|"
    rf"(?:(?!市|区){_W}){{1,6}}?[市区](?![場民役営況内外販価分間域画切別長])|{_K}{{1,5}}[町村](?![長民内])|(?:四日市|廿日市|野々市|八日市)市)"
)
_N = r"(?:\d{1,5}|[一二三四五六七八九十百〇零]{1,5})"
_SUFFIX = r"(?:丁目|番地の?|番丁|番町|番|号室|号|地割|線|条通り?|条|区画|街区|の(?=[\d一二三四五六七八九十]))"
_JOIN = r"(?:[ ]?-[ ]?|[ ]?)"
_BLOCK = (
    rf"{_N}(?:{_SUFFIX}|-(?=\d))(?:-?(?:[東西南北]|[一-龠]{{1,6}}(?=\d{{1,3}}丁目))?{_N}(?:{_SUFFIX}|(?=[-\d])|(?![\d年月日円時分人名個件F階室]))|[ ]?-?[ ]?[東西南北]?{_N}{_SUFFIX}|[ ]-[ ]?{_N}(?!\d)){{0,5}}"
)
_SINGLE = r"\d{1,5}(?:番地)?(?![\d.,%年月日円時分人名個件歳万億階件本台倍社者])"
_TOWN = rf"(?:大字|字)?{_W}{{1,16}}?(?:[東西南北]?{_N}条[東西南北]?)?"
_ROOM = r"(?:[A-Z]?-?\d{1,4}|[一二三四五六七八九〇]{1,4})(?:号室|号|室|F|階|階建)?"
_HOUSE = (
    r"(?:ビルヂング|ビルディング|ビル|マンション|ハイツ|コーポ|コーポラス|アパート|タワー|荘|レジデンス|メゾン|ハイム|パレス|プラザ|センター|会館|寮|団地|住宅|棟|"
    r"ヒルズ|テラス|コート|ガーデン|シティ|スクエア|パーク|ヴィラ|ビラ|グラン|ライオンズ|ハウス|レジデンシア|フォレスト|ステージ|ドミール|シャトー|カーサ|カーザ|"
    r"サンシャイン|エステート|アーバン|プレイス|フラット|ロイヤル|クレスト|ルネ|ブリリア|パークハウス|プラウド|Bldg\.?|Building|Tower|House|Heights|Mansion|Plaza|Residence|ISビル|庁舎)"
)
_FULL = re.compile(rf"{_PREFECTURE}[ \n]?(?:{_CITY}[ \n]?){{0,2}}(?:{_TOWN}[ \n]?)?(?:{_BLOCK}|{_SINGLE})")
_CITY_ONLY = re.compile(rf"(?<![一-龠々])(?:{_CITY}[ ]?)(?:{_TOWN}[ \n]?)?{_BLOCK}")
_TOWN_ONLY = re.compile(
    rf"{_W}{{1,10}}?(?:{_N}丁目|\d{{1,2}}-\d{{1,3}}-\d{{1,3}}(?![\d-])){_JOIN}(?:{_N}(?:{_SUFFIX}|-(?=\d))?){{0,4}}"
)
_CHOME = re.compile(
    rf"{_K}{{1,8}}[一二三四五六七八九十\d]{{1,2}}丁目\d{{1,3}}(?:番(?:地)?\d{{0,3}}号?|-\d{{1,3}}(?:-\d{{1,4}})?)"
)
# A building: a name with a word such as ハイツ or ビル, or anything that ends in a room or floor.
_BUILDING = re.compile(
    rf"[ 、,]{{0,2}}[ \n]?(?:(?P<name>(?!の|に|へ|を|が|は|で|と|宛|様|在住|気付|電話|TEL|FAX|℡)(?:第\d)?[A-Za-z一-龠々ぁ-んァ-ヴー・&'-]{{0,16}}?{_HOUSE}"
    rf"[A-Za-z一-龠々ァ-ヴー]{{0,10}}?)(?:[ ]?(?:{_ROOM}|[A-Z]棟)(?:[ ]?{_ROOM})?(?!\d|-\d)|[一二三四五六七八九東西南北A-Z]{{1,2}}番?[館棟](?:[ ]?{_ROOM})?|(?=[^一-龠A-Za-zァ-ヴー]|\Z))"
    rf"|(?P<plain>[A-Za-z一-龠々ァ-ヴー・]{{2,14}}[ ]?\d{{1,4}}(?:号室|室|F(?![A-Za-z])|階)|(?<=[ \n])[ァ-ヴー一-龠々]{{2,14}}[ ]?\d{{3,4}}(?![\d円年月人件部個名台.-])|\d{{1,4}}号室|\d{{1,2}}(?:F(?![A-Za-z])|階)))"
)
_LABEL = Label(
    r"住所|所在地?|届け?先|送付先|送り先|配送先|配達先|お届け|勤務先|自宅|実家|現住所|本籍地?|転居先|引越し?先|宛先|居所|居住地|連絡先|新住所|旧住所|本店|本社|address|〒\d{3}-?\d{4}|在住|宛て?",
    gap=8,
)
_LABELLED = re.compile(
    rf"(?:住所|所在地|届け?先|送付先|送り先|配送先|配達先|現住所|本籍地?|転居先|引越し?先|居所|居住地|address)[\"']?[\s:はが「\"']{{1,4}}(?P<value>(?:{_PREFECTURE})?(?:{_CITY})(?:{_W}{{0,12}}?)(?:{_BLOCK}|{_SINGLE}|(?=[\s、。,)\]」\"'に]|\Z)))",
    re.IGNORECASE,
)
_LABELS = Prefilter([_LABELLED.pattern], re.IGNORECASE)
_PREFECTURES = Finder(_PREFECTURE)
_MUNICIPALITY = re.compile("[市区郡町村]")
_BLOCKS = re.compile(r"丁目|\d-\d{1,3}-\d")
_ADDRESS_HEAD = re.compile(r"\A(?:ご?住所|所在地|届け?先|送付先|配送先|現住所|本籍地?|address)", re.IGNORECASE)
_HINT = re.compile(r"[都道府県市区町村郡]|丁目|番地|\d-\d|条[東西南北]|字")  # each prefecture ends in one of the first
# What the lazy front of a match swallows by mistake: particles and verbs before the place.
_LEAD = re.compile(r".*(?:[はがをにでとへもや]|から|まで|より|の|して|した|宛|現在|および|ならびに|新住所|住所|転居先|本社|本店|所在地|勤務先|自宅)(?=.)", re.DOTALL)
_FALSE = re.compile(r"第\Z|(?:年度|平成|令和|昭和)\Z")


def detect(view: View) -> Iterator[Hit]:
    """Full addresses; municipality and block; town and 丁目; anything place-like after an address label."""
    if not _HINT.search(view.text):
        return
    for start, end, rule, confidence in _parts(view):
        yield Hit(start, _with_building(view.text, start, end), "ADDRESS", rule, confidence)


def _parts(view: View) -> Iterator[tuple[int, int, str, float]]:
    """Addresses up to the block number: start, end, rule, confidence."""
    text = view.text
    for match in matches_from(_FULL, text, _PREFECTURES.starts(text)):
        yield *match.span(), "address.full", 0.95
    for match in _LABELLED.finditer(text) if _LABELS.possible(text) else ():
        yield *match.span("value"), "address.label", 0.85
    for match in matches_from(_CITY_ONLY, text, _before_municipalities(text)):
        start = _real_start(text, *match.span())
        if start is not None:
            yield start, match.end(), "address.city", 0.86
    for match in _CHOME.finditer(text) if "丁目" in text else ():
        yield *match.span(), "address.chome", 0.75
    for match in _TOWN_ONLY.finditer(text) if _BLOCKS.search(text) else ():
        start = _town_start(text, *match.span())
        if _LABEL.before(view, start) or _ADDRESS_HEAD.match(view.heading(start)):
            yield start, match.end(), "address.town", 0.75


def _before_municipalities(text: str) -> list[int]:
    """Where a municipality can begin: at most six characters before 市, 区, 郡, 町 or 村."""
    return sorted({start for match in _MUNICIPALITY.finditer(text) for start in range(max(0, match.start() - 6), match.start())})


def _with_building(text: str, start: int, end: int) -> int:
    """The end of the address with the building and room that follow it; trailing blanks are not part of it."""
    end = start + len(text[start:end].rstrip(" -\n"))
    match = _BUILDING.match(text, end, min(len(text), end + 60))
    return end + len(match[0].rstrip()) if match else end


def _real_start(text: str, start: int, end: int) -> int | None:
    """Where the municipality begins: after particles that the pattern took for a part of its name."""
    head = re.match(rf"{_CITY}", text[start:end])
    if head is None or _FALSE.search(text[max(0, start - 4) : start]):
        return None
    lead = _LEAD.match(head[0][:-1])
    moved = start + (lead.end() if lead else 0)
    return moved if len(text[moved : start + head.end()]) >= 2 else None


def _town_start(text: str, start: int, end: int) -> int:
    digits = re.search(r"[\d一二三四五六七八九十]", text[start:end])
    name = text[start : start + digits.start()] if digits else ""
    lead = _LEAD.match(name)
    return start + (lead.end() if lead else 0)
