from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.japanese.business_days import (
    add_business_days,
    add_months,
    end_of_working_week,
    era,
    fiscal_year_end,
    is_business_day,
    long_en,
    long_ja,
    next_gotobi,
    on_or_before,
)
from apps.common.japanese.dates import find_dates, missing_dates, parse_date

MONDAY = date(2026, 11, 23)  # 勤労感謝の日
DAYS = st.dates(min_value=date(2020, 1, 1), max_value=date(2035, 12, 31))


def resolved(text: str, base: date | None = MONDAY) -> list[tuple[str, str]]:
    return [(str(m.day), m.issue) for m in find_dates(text, base)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("来週水曜までに", "2026-12-02"), ("来週の水曜日", "2026-12-02"), ("今週中に", "2026-11-27"),
        ("これは月末までに", "2026-11-30"), ("来月末", "2026-12-31"), ("12月10日まで", "2026-12-10"),
        ("十二月十日", "2026-12-10"), ("12/2(水)", "2026-12-02"), ("１２月３日（木）", "2026-12-03"),
        ("翌営業日", "2026-11-24"), ("五十日まで", "2026-11-25"), ("3日後", "2026-11-26"),
        ("3営業日以内に", "2026-11-26"), ("二週間後", "2026-12-07"), ("年度末", "2027-03-31"), ("本日中", "2026-11-23"),
        ("週明け", "2026-11-30"), ("25日までに", "2026-11-25"), ("二十五日の水曜", "2026-11-25"),
        ("20日まで", "2026-12-20"), ("令和8年12月1日", "2026-12-01"), ("令和九年一月末", "2027-01-31"),
        ("R8.12.1", "2026-12-01"), ("2026/12/01", "2026-12-01"), ("金曜日までに", "2026-11-27"),
        ("月曜まで", "2026-11-30"), ("今週", "2026-11-27"),
        ("年内に", "2026-12-31"),
        ("1月15日まで", "2027-01-15"), ("来週いっぱい", "2026-12-04"), ("再来週の頭", "2026-12-07"),
        ("来年3月末", "2027-03-31"), ("明日中", "2026-11-24"), ("あさって", "2026-11-25"), ("一日まで", "2026-12-01"),
        ("四半期末", "2026-12-31"), ("一か月以内", "2026-12-23"), ("11月末日", "2026-11-30"),
        ("by Friday", "2026-11-27"), ("by the end of month", "2026-11-30"), ("EOD", "2026-11-23"),
        ("by the end of next week", "2026-12-04"), ("in two weeks", "2026-12-07"),
        ("within three business days", "2026-11-26"), ("December 10", "2026-12-10"), ("10th of December", "2026-12-10"),
        ("Dec 10th, 2026", "2026-12-10"), ("by the 10th", "2026-12-10"), ("Wednesday next week", "2026-12-02"),
        ("by year-end", "2026-12-31"), ("tomorrow morning", "2026-11-24"), ("by EOD Friday", "2026-11-27"),
        ("end of November", "2026-11-30"), ("December the twenty third", "2026-12-23"), ("by the twenty-fifth", "2026-11-25"),
    ],
)  # fmt: skip
def test_a_deadline_has_one_day(text: str, day: str) -> None:
    assert resolved(text) == [(day, "")]


@pytest.mark.parametrize(
    ("text", "day", "issue"),
    [
        ("12月2日火曜", "2026-12-02", "weekday_mismatch"), ("Wednesday, December 3", "2026-12-03", "weekday_mismatch"),
        ("来週25日", "2026-11-25", "weekday_mismatch"), ("来週", "2026-12-04", "period"),
        ("next Friday", "2026-12-04", "ambiguous"), ("今週末", "2026-11-27", "ambiguous"),
        ("今期中", "2027-03-31", "ambiguous"), ("来週までに", "2026-12-04", "period"),
        ("12月上旬", "2026-12-10", "period"), ("11月10日まで", "2027-11-10", "far"), ("2月30日", "None", "invalid"),
        ("早急に", "None", "vague"), ("ASAP", "None", "vague"), ("次回までに", "None", "next_meeting"),
        ("毎月末", "None", "recurring"),
    ],
)  # fmt: skip
def test_what_has_two_readings_or_none_says_which_problem_it_has(text: str, day: str, issue: str) -> None:
    assert resolved(text) == [(day, issue)]


@pytest.mark.parametrize(
    "text",
    [
        "1日3件",
        "一日中",
        "3日間の研修",
        "3月期決算",
        "10月分の請求",
        "月次の報告",
        "I may go",
        "over the week",
        "午後3時まで",
    ],
)
def test_durations_and_ordinary_words_are_no_dates(text: str) -> None:
    assert resolved(text) == []


@pytest.mark.parametrize("text", ["来週水曜", "月末", "12月10日", "by Friday", "in two weeks", "明日"])
def test_without_a_base_day_a_relative_date_stays_open(text: str) -> None:
    assert resolved(text, None) == [("None", "no_base")]


def test_a_complete_date_needs_no_base_day() -> None:
    assert resolved("令和8年12月1日から2027年1月5日まで", None) == [("2026-12-01", ""), ("2027-01-05", "")]


def test_an_ambiguous_date_names_both_readings() -> None:
    assert find_dates("by next Friday", MONDAY)[0].alternatives == (date(2026, 11, 27), date(2026, 12, 4))
    assert find_dates("12月2日火曜", MONDAY)[0].alternatives == (date(2026, 12, 1),)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-23", "2026-11-23"), ("令和八年十一月二十三日", "2026-11-23"), ("November 23, 2026", "2026-11-23"),
        ("令和元年5月1日", "2019-05-01"), ("11月23日", "None"), ("2026年11月", "None"), ("soon", "None"), ("", "None"),
    ],
)  # fmt: skip
def test_parse_date_takes_one_complete_date_and_nothing_else(text: str, day: str) -> None:
    assert str(parse_date(text)) == day


def test_a_statement_may_write_the_day_that_was_only_described() -> None:
    assert missing_dates("12月2日までに提出", "来週水曜までに出してください", MONDAY) == []
    assert [m.text for m in missing_dates("12月3日までに提出", "来週水曜までに出してください", MONDAY)] == ["12月3日"]


@given(DAYS, DAYS)
def test_every_written_form_of_a_day_is_read_back(day: date, base: date) -> None:
    for text in (day.isoformat(), f"{day.year}年{day.month}月{day.day}日", era(day), long_ja(day), long_en(day)):
        assert parse_date(text) == day, text
        assert [m.day for m in find_dates(text, base)] == [day]


@given(DAYS, st.integers(min_value=0, max_value=250))
def test_a_day_without_its_year_is_the_next_one(base: date, ahead: int) -> None:
    day = base + timedelta(days=ahead)
    assert find_dates(f"{day.month}月{day.day}日", base)[0].day == day


@given(
    st.text(alphabet="来今再先週月末火水木金土日曜の営業翌明までに一二三十12345/-年度期 中旬nextFridayby", max_size=24),
    DAYS,
)
def test_no_text_breaks_the_rules_and_mentions_never_overlap(text: str, base: date) -> None:
    end = 0
    for mention in find_dates(text, base):
        assert text[mention.start : mention.end] == mention.text
        assert mention.start >= end
        end = mention.end
        if mention.first and mention.day:
            assert mention.first <= mention.day


@given(DAYS, st.integers(min_value=1, max_value=20))
def test_business_days_go_forward_and_back(day: date, count: int) -> None:
    later = add_business_days(day, count)
    assert is_business_day(later)
    assert add_business_days(later, -count) <= on_or_before(day)
    assert sum(is_business_day(day + timedelta(days=n)) for n in range(1, (later - day).days + 1)) == count


def test_the_calendar_knows_holidays_new_year_and_short_months() -> None:
    assert not is_business_day(MONDAY)
    assert not is_business_day(date(2026, 12, 31)) and not is_business_day(date(2027, 1, 2))
    assert end_of_working_week(date(2026, 4, 27)) == date(2026, 5, 1)
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert fiscal_year_end(date(2027, 3, 31)) == date(2027, 3, 31)
    assert next_gotobi(date(2026, 11, 26)) == date(2026, 11, 30)


def test_eras() -> None:
    assert era(date(2019, 5, 1)) == "令和元年5月1日"
    assert era(date(2019, 4, 30)) == "平成31年4月30日"
    assert long_ja(MONDAY) == "2026年11月23日（月）"
    assert long_en(MONDAY) == "Mon 23 November 2026"
