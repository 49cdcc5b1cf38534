"""Why an item needs review, as data; :func:`sentence` says it in the language of the minutes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_SENTENCES: dict[str, tuple[str, str]] = {
    "no_evidence": ("根拠となる発言がありません。", "No line of the transcript supports this."),
    "unknown_segment": ("根拠の発言番号 {0} が文字起こしにありません。", "The cited line {0} is not in the transcript."),
    "name": ("「{0}」は根拠の発言にありません。", "The cited lines do not name \"{0}\"."),
    "number": ("数値「{0}」は根拠の発言にありません。", "The cited lines do not contain the number \"{0}\"."),
    "date": ("日付「{0}」は根拠の発言にありません。", "The cited lines do not contain the date \"{0}\"."),
    "wording": ("文言が根拠の発言と十分に一致しません。", "The wording is not covered by the cited lines."),
    "negation": ("肯定・否定が根拠の発言と異なる可能性があります。", "Affirmation or negation may differ from the cited lines."),
    "owner_missing": ("担当者が発言から特定できません。", "The meeting does not say who is responsible."),
    "owner_inferred": (
        "担当者「{0}」は話者名からの推定です。", "The owner \"{0}\" is inferred from who seems to be speaking."
    ),
    "owner_sound": ("担当者「{0}」は音の近い名前（「{1}」）から判断しました。", "The owner \"{0}\" was matched by sound (\"{1}\")."),
    "owner_unknown": ("担当者「{0}」は参加者一覧にありません。", "The owner \"{0}\" is not in the list of participants."),
    "owner_anonymous": ("担当者「{0}」の氏名が未確認です。", "The name of the owner \"{0}\" is not known yet."),
    "owner_conflict": ("担当者の候補が複数あります（{0}）。", "Several people may be the owner ({0})."),
    "not_accepted": ("依頼された人の承諾が確認できません。", "Nobody was heard accepting this request."),
    "declined": ("依頼に対して難色が示されています。", "The request met with reluctance."),
    "due_no_base": (
        "期限「{0}」は会議の日付が分からないため日付にできません。", "\"{0}\" cannot be resolved without the meeting date."
    ),
    "due_invalid": ("期限「{0}」は存在しない日付です。", "\"{0}\" is not a day of the calendar."),
    "due_vague": ("期限「{0}」は具体的な日付ではありません。", "\"{0}\" is not a specific day."),
    "due_meeting_unknown": (
        "期限「{0}」の会議の日付が分かりません。", "The date of the meeting meant by \"{0}\" is not known."
    ),
    "due_event_unknown": (
        "期限「{0}」の基準となる日が発言から特定できません。", "The meeting does not say on which day \"{0}\" is."
    ),
    "due_event_days": (
        "期限「{0}」の基準となる日が複数あります（{1}）。", "Several days were named for \"{0}\" ({1})."
    ),
    "due_weekday": (
        "期限「{0}」は日付と曜日が一致しません（{1} か {2}）。", "In \"{0}\" date and weekday differ ({1} or {2})."
    ),
    "due_ambiguous": (
        "期限「{0}」には複数の解釈があります（{1} としました。{2}）。", "\"{0}\" can be read in several ways (taken as {1}; {2})."
    ),
    "due_past": ("期限「{0}」は会議より前の日付です（{1}）。", "\"{0}\" is before the meeting ({1})."),
    "due_conflict": ("期限が発言によって異なります（{0}）。", "Different deadlines were said ({0})."),
    "revised": ("前の決定（{0}）を後の発言が改めたものと判断しました。", "Taken to replace an earlier decision ({0})."),
    "unclear_speech": ("音声認識の確信度が低い発言を根拠にしています。", "Speech recognition was unsure about the cited words."),
    "weak_decision": ("決定と言い切られていない可能性があります。", "This may have been a suggestion rather than a decision."),
    "objection": ("この直後に異論が出ています。", "An objection follows directly."),
    "antecedent": (
        "「それ」「この件」などが指す内容を前の発言から補っています。", "What \"that\" refers to was taken from earlier lines."
    ),
    "edited": ("人が編集した後、根拠との照合で一致しません。", "Edited by hand; it no longer matches the cited lines."),
    "withdrawn": ("その後取り下げられた可能性があります。", "This may have been withdrawn later."),
}  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """A code of the table above with the values of its slots."""

    code: str
    first: str = ""
    second: str = ""
    third: str = ""


def sentence(reason: Reason, language: str) -> str:
    """The reason in Japanese (``ja``) or English."""
    text = _SENTENCES[reason.code][0 if language == "ja" else 1]
    said = text.format(reason.first, reason.second, reason.third)
    return said.replace("。）。", "）。").replace("; ).", ").").replace("としました。）", "としました）")


@lru_cache
def pattern(code: str, language: str) -> re.Pattern[str]:
    """Recognises the sentences of one code, whatever stands in their slots."""
    text = _SENTENCES[code][0 if language == "ja" else 1]
    parts = [re.escape(p) for p in re.split(r"\{\d\}", text)]
    return re.compile(".*".join(parts), re.DOTALL)
