"""Japanese date expressions, most specific first. Weeks begin on Monday; fiscal years in April."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from apps.common.japanese.business_days import (
    ERA_START,
    WEEKDAYS,
    add_business_days,
    add_months,
    end_of_working_week,
    fiscal_year_end,
    monday_of,
    month_end,
    next_gotobi,
    on_or_after,
    quarter_end,
)
from apps.common.japanese.date_rules import (
    NO_BASE,
    Rule,
    Span,
    absolute,
    check_weekday,
    in_the_future,
    one_day,
    relative,
)
from apps.common.japanese.numbers import parse_number

_N = r"(?:\d{1,3}|[一二三四五六七八九十]{1,3})"
_WEEKDAY = r"(?:\s?(?:の|、)?\s?[(]?(?P<w>[月火水木金土日])(?:曜日?[)]?|[)]))?"
_PART = r"末日|末|初旬|上旬|中旬|下旬|初め|はじめ|頭|半ば|なかば|中頃|中|いっぱい|内"
_NOT_A_DAY = (
    r"(?!間|後|以内|前(?!半)|程度|ほど|ぐらい|くらい|分|目|連続|連休|あたり|当たり|単位|数|本|営業|ごと|置き|おき|平均"
    r"|未満|以上|かかる)"
)
_DAY = rf"(?P<d>{_N})日{_NOT_A_DAY}"


def _number(text: str) -> int:
    return 1 if text == "元" else int(parse_number(text) or 0)


def _weekday(match: re.Match[str]) -> int | None:
    found = match.groupdict().get("w")
    return WEEKDAYS.index(found) if found else None


def _month_part(year: int, month: int, part: str | None) -> Span:
    """A month or a part of one (初旬 to the 10th, 中旬 to the 20th, 末 the last day)."""
    last = month_end(year, month)
    if part in ("末", "末日"):
        return one_day(last)
    if part in ("中", "いっぱい", "内"):
        return Span(date(year, month, 1), last)
    if part in ("上旬", "初旬"):
        return Span(date(year, month, 1), date(year, month, 10), "period")
    if part in ("初め", "はじめ", "頭"):
        return Span(date(year, month, 1), on_or_after(date(year, month, 1)), "period")
    if part in ("中旬", "半ば", "なかば", "中頃"):
        return Span(date(year, month, 11), date(year, month, 20), "period")
    if part == "下旬":
        return Span(date(year, month, 21), last, "period")
    return Span(date(year, month, 1), last, "period")


def _month_day(year: int, month: int, match: re.Match[str]) -> Span:
    day = match.groupdict().get("d")
    span = one_day(date(year, month, _number(day))) if day else _month_part(year, month, match.groupdict().get("part"))
    return check_weekday(span, _weekday(match))


_RELATIVE_YEAR = {"今年": 0, "本年": 0, "来年": 1, "翌年": 1, "再来年": 2, "昨年": -1, "去年": -1}


def _with_month(match: re.Match[str], base: date | None) -> Span | None:
    groups = match.groupdict()
    month = _number(groups["m"])
    if not 1 <= month <= 12:
        return None
    if groups.get("era"):
        return _month_day(ERA_START[groups["era"].upper()] + _number(groups["ey"]) - 1, month, match)
    if groups.get("y"):
        return _month_day(_number(groups["y"]), month, match)
    if base is None:
        return NO_BASE
    if groups.get("ry"):
        return _month_day(base.year + _RELATIVE_YEAR[groups["ry"]], month, match)
    return in_the_future(lambda year: _month_day(_in_calendar(year, month, match), month, match), base)


def _in_calendar(year: int, month: int, match: re.Match[str]) -> int:
    """29 February exists only in leap years: go on to the next one."""
    if month == 2 and match.groupdict().get("d") and _number(match["d"]) == 29:
        while not calendar.isleap(year):
            year += 1
    return year


_MONTHS = {"先月": -1, "前月": -1, "今月": 0, "当月": 0, "来月": 1, "翌月": 1, "再来月": 2, "翌々月": 2}


def _relative_month(match: re.Match[str], base: date) -> Span:
    first = add_months(base.replace(day=1), _MONTHS[match["rm"]])
    span = _month_day(first.year, first.month, match)
    this_month = not match["d"] and not match["part"] and _MONTHS[match["rm"]] == 0
    return Span(span.first, span.last) if this_month else span


_WEEK = r"(?P<rw>先々週|再来週|先週|今週|来週|翌週|次週)(?:の|、)?\s?"
_WEEKS = {"先々週": -2, "先週": -1, "今週": 0, "来週": 1, "翌週": 1, "次週": 1, "再来週": 2}


def _week(match: re.Match[str], base: date) -> Span:
    weeks, part = _WEEKS[match["rw"]], match.groupdict().get("part") or ""
    monday = monday_of(base, weeks)
    if match.groupdict().get("d"):
        return _day_in_week(match, monday)
    if match["w"]:
        return one_day(monday + timedelta(days=WEEKDAYS.index(match["w"])))
    friday = end_of_working_week(base, weeks)
    if part in ("頭", "初め", "はじめ", "明け", "早々"):
        return one_day(on_or_after(monday), "ambiguous" if part == "明け" else "")
    if part == "前半":
        return Span(monday, monday + timedelta(days=2), "period")
    if part in ("半ば", "なかば", "中頃"):
        return Span(monday + timedelta(days=1), monday + timedelta(days=2), "period")
    if part == "末":
        return one_day(friday, "ambiguous", (friday, monday + timedelta(days=6)))
    return Span(monday, friday, "" if weeks == 0 or part in ("中", "いっぱい", "内", "後半") else "period")


def _day_in_week(match: re.Match[str], monday: date) -> Span:
    """来週の25日: the day of that week with this number; if there is none, the words contradict each other."""
    for offset in range(7):
        day = monday + timedelta(days=offset)
        if day.day == _number(match["d"]) and (not match["m"] or day.month == _number(match["m"])):
            return check_weekday(one_day(day), _weekday(match))
    month = _number(match["m"]) if match["m"] else monday.month
    return one_day(date(monday.year, month, _number(match["d"])), "weekday_mismatch")


def _bare_weekday(match: re.Match[str], base: date) -> Span:
    return one_day(base + timedelta(days=(WEEKDAYS.index(match["w"]) - base.weekday()) % 7 or 7))


def _bare_day(match: re.Match[str], base: date) -> Span | None:
    number = _number(match["d"])
    if not 1 <= number <= 31:
        return None
    for months in range(3):
        first = add_months(base.replace(day=1), months)
        if number <= month_end(first.year, first.month).day and first.replace(day=number) >= base:
            return check_weekday(one_day(first.replace(day=number)), _weekday(match))
    return None


_DAYS = {
    "一昨日": -2, "おととい": -2, "昨日": -1, "きのう": -1, "本日": 0, "今日": 0, "今晩": 0, "今夜": 0, "今夕": 0,
    "明々後日": 3, "しあさって": 3, "明後日": 2, "あさって": 2, "明日": 1, "あした": 1, "明朝": 1, "明晩": 1, "あす": 1,
}  # fmt: skip


def _later(match: re.Match[str], base: date) -> Span | None:
    """N日後, N営業日以内, 一週間後, 半年後."""
    count, unit = (_number(match["n"]) if match["n"] else 1), match["unit"]
    if not count:
        return None
    day = {
        "営業日": lambda: add_business_days(base, count),
        "日": lambda: base + timedelta(days=count),
        "週間": lambda: base + timedelta(weeks=count),
        "時間": lambda: base,
        "年": lambda: add_months(base, 12 * count),
    }.get(unit, lambda: add_months(base, count))()
    within = match["rel"] in ("以内", "のうち", "うち", "以内に", "内")
    return Span(base if within else day, day, "ambiguous" if match["rel"].endswith("で") else "")


def _weekend(match: re.Match[str], base: date) -> Span:
    friday = end_of_working_week(base)
    return one_day(friday, "ambiguous", (friday, monday_of(base) + timedelta(days=6)))


def _this_month(match: re.Match[str], base: date) -> Span:
    part = match["part"]
    span = _month_part(base.year, base.month, {"初": "初め"}.get(part, part))
    if span.last is not None and span.last < base:
        later = add_months(base.replace(day=1), 1)
        return _month_part(later.year, later.month, {"初": "初め"}.get(part, part))
    return span


def _couple_of_days(match: re.Match[str], base: date) -> Span:
    return Span(base, base + timedelta(days=3 if re.search("[3三]", match[0]) else 2), "ambiguous")


def _plausible_day(match: re.Match[str], base: date) -> Span | None:
    """一日 and 1日 are mostly a duration: they count as a date only before まで, 付, 締 or with a weekday."""
    after = match.string[match.end() :]
    if _number(match["d"]) == 1 and not match["w"] and not re.match(r"まで|付|締|から|中に|の午", after):
        return None
    return _bare_day(match, base)


def _year_part(match: re.Match[str], base: date) -> Span | None:
    text = match[0]
    year = base.year + (1 if text.startswith(("来年", "翌年")) else 0)
    if "年度" in text:
        end = fiscal_year_end(base)
        end = end.replace(year=end.year + int(text.startswith(("来", "翌"))))
        return one_day(end) if "末" in text else Span(base, end, "" if re.search("中|内|いっぱい", text) else "period")
    return one_day(date(year, 12, 31)) if "末" in text else Span(base, date(year, 12, 31))


def _fiscal_part(match: re.Match[str], base: date) -> Span:
    """期末, 今期中, 上期末 …: the fiscal year from April is assumed and said so."""
    text, end = match[0], fiscal_year_end(base)
    if text.startswith(("来", "翌", "次")):
        base, end = end + timedelta(days=1), end.replace(year=end.year + 1)
    if "上" in text or ("半期" in text and 4 <= base.month <= 9):
        end = date(end.year - 1, 9, 30)
    return one_day(end, "ambiguous") if "末" in text else Span(base, end, "ambiguous")


def _quarter(match: re.Match[str], base: date) -> Span | None:
    if match["q"]:
        end = fiscal_year_end(base)
        month = (6, 9, 12, 3)[_number(match["q"]) - 1]
        last = month_end(end.year - (month > 3), month)
        return Span(add_months(last.replace(day=1), -2), last, "ambiguous")
    last = quarter_end(base)
    if match[0].startswith(("来", "翌", "次")):
        last = quarter_end(last + timedelta(days=1))
    return Span(add_months(last.replace(day=1), -2), last)


_YEAR = (
    r"(?:(?P<era>令和|平成|昭和|大正)\s?(?P<ey>元|\d{1,2}|[一二三四五六七八九十]{1,3})年の?|(?P<y>\d{4}|[〇一二九][〇零一二三四五六七八九]{3})年の?"
    r"|(?P<ry>今年|本年|再来年|来年|翌年|昨年|去年)の?)?"
)
_VAGUE = (
    r"近日中|近いうち|近々|早急に|至急|大至急|なるべく早[くめ]|できるだけ早[くめ]|速やかに|すみやかに|早めに|なるはや|なる早"
    r"|数日中|数日以内|そのうち|後日|追って|年明け(?:早々|すぐ)?|連休明け|休み明け|お盆明け|正月明け|GW明け|いずれ"
)

_MD = rf"(?:{_DAY}|(?P<part>{_PART}))"
_WEEK_PART = r"(?P<part>前半|後半|半ば|なかば|中頃|頭|初め|はじめ|明け|早々|末|中|いっぱい|内)"
_FISCAL = (
    r"(?:今|当|来|翌|次)?(?:上|下)(?:半)?期(?:末|中|内|いっぱい)|(?:今|当|来|翌|次)期(?:末|中|内|いっぱい)"
    r"|(?<!四)半期末|(?<!半)期末"
)
_NEXT_MEETING = (
    r"次回(?:の)?(?:会議|定例会?|打ち?合わせ|ミーティング|会合|委員会|例会|部会|開催)?(?=まで|に(?:は|報告|持)|で報告)"
)

RULES: tuple[Rule, ...] = (
    absolute(
        rf"(?<![\w])(?P<era>[RHS])(?P<ey>\d{{1,2}})[./年](?P<m>\d{{1,2}})[./月](?P<d>\d{{1,2}})日?{_WEEKDAY}",
        _with_month,
    ),
    absolute(rf"(?<!\d)(?P<y>\d{{4}})[/.-](?P<m>\d{{1,2}})[/.-](?P<d>\d{{1,2}})(?![\d/.-]){_WEEKDAY}", _with_month),
    absolute(rf"{_YEAR}(?P<m>{_N})月(?!期|決算|分|号|次)(?:\s?の?\s?{_MD})?{_WEEKDAY}", _with_month),
    absolute(rf"(?<![\d/.])(?P<m>1[0-2]|0?[1-9])/(?P<d>3[01]|[12]\d|0?[1-9])(?![\d/%]){_WEEKDAY}", _with_month),
    relative(r"毎(?:週|月|日|年)(?:の?(?:[月火水木金土日]曜日?|末|初め))?", lambda m, b: Span(None, None, "recurring")),
    relative(rf"(?P<rm>再来月|翌々月|先月|前月|今月|当月|来月|翌月)(?:の|、)?\s?{_MD}?{_WEEKDAY}", _relative_month),
    relative(rf"{_WEEK}(?:(?P<m>{_N})月)?{_DAY}{_WEEKDAY}", _week),
    relative(rf"{_WEEK}(?:(?P<w>[月火水木金土日])曜日?|{_WEEK_PART})?", _week),
    relative(r"翌々営業日", lambda m, b: one_day(add_business_days(b, 2))),
    relative(r"翌営業日|次の営業日|明営業日", lambda m, b: one_day(add_business_days(b, 1))),
    relative(r"前営業日", lambda m, b: one_day(add_business_days(b, -1))),
    relative(
        rf"(?:(?:今日|本日)(?:から|より))?(?:(?P<n>{_N})\s?|(?P<half>半))"
        r"(?P<unit>営業日|日|週間|[かヶケカヵ箇]月|年|時間)"
        r"(?P<rel>以内|のうち|うち|後|先|内|(?:くらい|ほど|程度|ぐらい)?で(?![すしは]))",
        lambda m, b: one_day(add_months(b, 6)) if m["half"] else _later(m, b),
    ),
    relative(r"一?両日中|[2二][、,]?\s?[3三]日中", _couple_of_days),
    relative("|".join(sorted(_DAYS, key=len, reverse=True)), lambda m, b: one_day(b + timedelta(days=_DAYS[m[0]]))),
    relative(r"週明け", lambda m, b: one_day(on_or_after(monday_of(b, 1)))),
    relative(r"週末", _weekend),
    relative(r"(?:今|本|来|翌)?年度(?:末|内|中|いっぱい)|(?:今年|来年|年)(?:末|内|中|いっぱい)(?!央)", _year_part),
    relative(r"第(?P<q>[1-4一二三四])四半期(?:末|中|内)?|(?:今|当|来|翌|次)?四半期(?:末|中|内)", _quarter),
    relative(_FISCAL, _fiscal_part),
    relative(
        r"(?<![\d一二三四五六七八九十先今来再翌々毎当前])月(?P<part>末日|末|初め|初|半ば|内|中)(?!旬)", _this_month
    ),
    relative(r"五十日|ごとうび|ゴトウ日|ゴトー日|五・十日", lambda m, b: one_day(next_gotobi(b))),
    relative(rf"(?<![月\d.一二三四五六七八九十百年]){_DAY}{_WEEKDAY}", _plausible_day),
    relative(r"(?:今度の|次の|来たる|この)?(?P<w>[月火水木金土日])曜日?", _bare_weekday),
    absolute(_NEXT_MEETING, lambda m, b: Span(None, None, "next_meeting")),
    absolute(_VAGUE, lambda m, b: Span(None, None, "vague")),
)
