"""Numbers with units in Japanese and English text: ３億５千万円, 二割五分, 約1.5倍, $3.2 million, 第3四半期.

Pure and symmetrical: the same words give the same :class:`Quantity` in a statement and in its evidence, so that the
verifiers of minutes and proposals can compare value and unit instead of spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from apps.common.japanese.normalise import half_width

_DIGIT = dict(zip("〇零一二三四五六七八九", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)) | {
    "壱": 1, "弐": 2, "参": 3, "両": 2,
}  # fmt: skip
_SMALL = {"十": 10, "百": 100, "千": 1000, "拾": 10}
_BIG = {"万": 10**4, "億": 10**8, "兆": 10**12}
_ENGLISH = {
    "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "k": 10**3, "m": 10**6, "mn": 10**6, "bn": 10**9, "b": 10**9,
}  # fmt: skip

# canonical unit ← spellings. The longest spelling wins.
_UNITS: dict[str, tuple[str, ...]] = {
    "円": ("円", "圓", "yen", "JPY"),
    "ドル": ("米ドル", "ドル", "dollars", "dollar", "USD"),
    "ユーロ": ("ユーロ", "euros", "euro", "EUR"),
    "ポンド": ("ポンド", "pounds", "GBP"),
    "元": ("人民元",),
    "%": ("%", "パーセント", "percent", "per cent", "pct"),
    "ポイント": ("%ポイント", "パーセントポイント", "ポイント", "percentage points", "percentage point", "points"),
    "bp": ("ベーシスポイント", "ベーシス", "bps", "bp", "basis points", "basis point"),
    "か月": ("ヶ月", "ケ月", "カ月", "か月", "箇月", "ヵ月", "ヶ月間", "カ月間", "か月間", "ケ月間", "months", "month"),
    "年": ("年間", "年", "years", "year"),
    "週間": ("週間", "週", "weeks", "week"),
    "営業日": ("営業日", "business days", "business day", "working days"),
    "日": ("日間", "日", "days", "day"),
    "月": ("月",),
    "時間": ("時間", "hours", "hour", "hrs"),
    "時": ("時",),
    "分": ("分間", "分", "minutes", "minute"),
    "秒": ("秒間", "秒", "seconds"),
    "人": ("名様", "名", "人", "people", "persons", "employees", "FTE", "FTEs"),
    "件": ("件", "cases", "case"),
    "社": ("社", "companies"),
    "店": ("店舗", "カ店", "か店", "ヶ店", "店", "branches", "stores"),
    "台": ("台",), "個": ("個", "コ"), "本": ("本",), "枚": ("枚",), "部": ("部",), "回": ("回", "times"),
    "倍": ("倍",), "か所": ("箇所", "か所", "カ所", "ヶ所", "ヵ所"), "拠点": ("拠点",), "点": ("点",),
    "項目": ("項目",), "案": ("案",), "つ": ("つ",), "歳": ("歳", "才"), "階": ("階",), "坪": ("坪",),
    "㎡": ("平方メートル", "平米", "㎡", "m2"),
    "km": ("キロメートル", "km"), "m": ("メートル",), "kg": ("キログラム", "kg"),
    "トン": ("トン", "t"), "GB": ("ギガバイト", "GB"), "TB": ("TB",), "口": ("口",), "口座": ("口座",),
    "ページ": ("ページ", "頁", "pages"), "行": ("行",), "号": ("号",), "番": ("番",), "次": ("次",), "期": ("期",),
    "世帯": ("世帯",), "戸": ("戸",), "組": ("組",), "パターン": ("パターン",), "種類": ("種類",), "段階": ("段階",),
    "校": ("校",), "便": ("便",), "ロット": ("ロット",), "ライン": ("ライン",),
    "工程": ("工程",), "ケース": ("ケース",),
    "四半期": ("四半期", "quarters"), "割": ("割",), "株": ("株",), "機": ("機",), "通": ("通",), "冊": ("冊",),
}  # fmt: skip
_CANONICAL = {spelling.casefold(): unit for unit, spellings in _UNITS.items() for spelling in spellings}
_UNIT = "|".join(
    re.escape(s) + (r"(?![A-Za-z])" if s[-1].isascii() and s[-1].isalpha() else "")
    for s in sorted((s for v in _UNITS.values() for s in v), key=len, reverse=True)
)

_ARABIC = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_KANJI = "〇零一二三四五六七八九壱弐参十百千拾"
_AMOUNT = rf"(?:(?:{_ARABIC})|[{_KANJI}]+)(?:[十百千万億兆]+(?:(?:{_ARABIC})|[{_KANJI}]+)?)*"
_SCALE = r"(?P<scale>\s?(?:thousand|million|billion|trillion|bn|mn|k(?![A-Za-z])|[MB](?![A-Za-z])))"
_QUANTITY = re.compile(
    r"(?P<approx>約|およそ|おおよそ|ほぼ|大体|about |around |approximately |roughly |some )?\s?"
    rf"(?P<sign>[-▲△]\s?)?(?P<money>US\$|[¥$€£])?\s?(?P<amount>{_AMOUNT}){_SCALE}?\s?(?P<unit>{_UNIT})?"
    r"(?P<half>半)?(?P<after>強|弱|程度|ほど|くらい|ぐらい|前後|余り)?"
)
_MONEY = {"US$": "ドル", "$": "ドル", "¥": "円", "€": "ユーロ", "£": "ポンド"}
# Words that begin like a number but are none, at the place where a match starts.
_NOT_A_NUMBER = re.compile(
    r"一[部緒番旦般方応切致覧体定連貫括気律環概様時斉旦挙任般員瞬生見新層段]|一本化|一元|一手|一歩|一言|一目|一例|一通り|一人ひとり|一人一人"
    r"|一つ一つ|一つひとつ|十分(?!間|後|前|程|ほど|くらい|ぐらい|以|ず|早|遅|休|おき|お待)|十二分に|万[一が]|百貨|千葉|千代|千歳|五十嵐|三[菱井重権者省密]|四[国季苦]|九州|八[重王幡戸]"
    r"|二[重次元人三]|七海|六本木|六甲|三[田鷹島浦宅上木]|五[反]|十和田|二階堂|一橋|一ノ|二ノ|三ノ|百瀬|千[田野原住賀]|八木|八代"
)
_BU = re.compile(rf"([\d{_KANJI}])分(?!の)")
_PRECEDED = re.compile(r"(?:数|何|幾|統|唯|画|万|随|同|均|単|専|ナンバー)$")


@dataclass(frozen=True)
class Quantity:
    """A number with its unit, ``text[start:end]``.

    ``unit`` is canonical ("" for a bare number); 割 becomes %; ordinals keep their 第.
    """

    value: Decimal
    unit: str
    start: int
    end: int
    text: str
    approx: bool = False

    def same(self, other: Quantity) -> bool:
        """Equal value; units equal, or one of them not said."""
        return self.value == other.value and (self.unit == other.unit or not self.unit or not other.unit)


def parse_number(text: str) -> Decimal | None:
    """The value of a numeral without unit (``1億2,000万``, ``二〇二六``, ``三千五百``), or None if it is not one."""
    tokens = re.findall(rf"{_ARABIC}|.", half_width(text).replace(" ", ""))
    total, section = Decimal(0), Decimal(0)
    current: Decimal | None = None
    for token in tokens:
        if token[0].isdigit() and token[0].isascii():
            if current is not None:
                return None
            current = Decimal(token.replace(",", ""))
        elif token in _DIGIT:
            current = (current or Decimal(0)) * 10 + _DIGIT[token]
        elif token in _SMALL:
            section += (Decimal(1) if current is None else current) * _SMALL[token]
            current = None
        elif token in _BIG:
            part = section + (current or 0)
            if not part:
                return None
            total += part * _BIG[token]
            section, current = Decimal(0), None
        else:
            return None
    return total + section + (current or 0) if tokens else None


def find_quantities(text: str, *, skip: Iterable[tuple[int, int]] = ()) -> list[Quantity]:
    """All numbers with units in a text, in order. Kanji numerals count only with a unit or as a compound.

    ``skip``: spans (for example dates already found) whose numbers are not wanted.
    """
    flat = half_width(text)
    spans = list(skip)
    found: list[Quantity] = []
    position = 0
    while match := _QUANTITY.search(flat, position):
        quantity, position = _read(text, flat, match)
        if quantity and not any(quantity.start < end and start < quantity.end for start, end in spans):
            found.append(quantity)
    return _share_units(flat, found)


def _read(text: str, flat: str, match: re.Match[str]) -> tuple[Quantity | None, int]:
    """One match as a quantity (None when it is a word, not a number) and where to go on."""
    start, amount = match.start("amount"), match["amount"]
    unit_word = match["unit"] or ""
    kanji_only = not re.search(r"\d", amount)
    if kanji_only and (
        _NOT_A_NUMBER.match(flat, start)
        or _PRECEDED.search(flat[max(0, start - 4) : start])
        or (not unit_word and not (len(amount) > 1 and re.search("[十百千万億兆]", amount)))
    ):
        return None, start + 1
    if not kanji_only and start > 0 and re.match(r"[A-Za-z_]", flat[start - 1]) and not match["money"]:
        return None, match.end("amount")  # R8, A4, v2: parts of names
    value = parse_number(amount)
    if value is None:
        return None, match.end("amount")
    quantity = _quantity(text, match, value, unit_word)
    return quantity, max(match.end(), quantity.end)


def _quantity(text: str, match: re.Match[str], value: Decimal, unit_word: str) -> Quantity:
    flat = match.string
    if match["scale"]:
        value *= _ENGLISH[match["scale"].strip().lower()]
    unit = _CANONICAL.get(unit_word.casefold(), "") or _MONEY.get(match["money"] or "", "")
    end = match.end("unit") if unit_word else match.end("scale") if match["scale"] else match.end("amount")
    start = match.start("money") if match["money"] else match.start("amount")
    before = flat[: match.start("sign")] if match["sign"] else ""
    if match["sign"] and (match["sign"].strip() in "▲△" or not re.search(r"[A-Za-z0-9)]$", before)):
        value, start = -value, match.start("sign")
    if match["half"] and unit in ("年", "時間", "か月", "日", "分", "%"):
        value, end = value + Decimal("0.5"), match.end("half")
    if unit == "割":
        hundredths = _BU.match(flat, end)
        value, unit = value * 10 + (parse_number(hundredths[1]) or 0 if hundredths else 0), "%"
        end = hundredths.end() if hundredths else end
    if flat[:start].endswith("第"):
        start, unit = start - 1, "第" + unit
    return Quantity(value, unit, start, end, text[start:end], bool(match["approx"] or match["after"]))


def _share_units(flat: str, found: list[Quantity]) -> list[Quantity]:
    """In ranges and lists (3〜5件, 3、4件, 10 to 20%) the first number takes the unit of the next."""
    shared = list(found)
    for index in range(len(found) - 2, -1, -1):
        here, after = shared[index], shared[index + 1]
        between = flat[here.end : after.start]
        if not here.unit and after.unit and re.fullmatch(r"\s?(?:~|-|から|ないし|、|,| to | or )\s?", between):
            shared[index] = Quantity(here.value, after.unit, here.start, here.end, here.text, here.approx)
    return shared


def missing_quantities(statement: str, evidence: str) -> list[Quantity]:
    """Quantities of the statement that the evidence does not have. Empty: all are supported."""
    known = find_quantities(evidence)
    return [q for q in find_quantities(statement) if not any(q.same(k) for k in known)]
