"""Who is meant: names of the participants in running text, and which speaker label belongs to whom.

Names that speech recognition wrote by sound are matched by reading, when only one participant sounds like it. What is
only likely is marked; nobody is made responsible on a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from apps.common.japanese.normalise import fold, is_japanese
from apps.common.japanese.words import alike, words

ANONYMOUS = re.compile(r"^(?:話者|スピーカー|Speaker|SPEAKER)[ _]?\w{1,3}$|^S\d+$|^(?:不明|unknown|)$")
_TITLE = (
    r"(?:さん|さま|様|くん|君|ちゃん|氏|先輩|部長|副部長|次長|課長代理|課長|係長|主任|主査|主幹|室長|支店長|副支店長|支社長|所長|店長|本部長|社長|副社長|専務|常務"
    r"|取締役|監査役|執行役員|委員長|委員|会長|議長|理事|リーダー|マネージャー|マネジャー|代理|先生)"
)
_NAME = r"[一-鿿々ヶ]{1,4}|[ァ-ヴー]{2,8}|[ぁ-ゖ]{2,5}"
_MENTION = re.compile(rf"(?P<name>{_NAME}){_TITLE}(?:さん)?")
_NOT_PEOPLE = re.compile(
    r"(?:皆|みな|みんな|お客|客|業者|ベンダー|お医者|奥|子|母|父|各|他|相手|先方|担当|議長|本|全|両|同|当|新|前|副|現|元|幹|事務局"
    r"|お[一-鿿]+|会社|商事|製作所|工業|建設|銀行|物流|電子|精機|さん|役席|営業|人事|総務|経理|法務)$"
)
_DEPARTMENT = re.compile(
    r"[一-鿿ァ-ヴーA-Z]{1,10}(?:部|課|室|グループ|チーム|支店|センター|事務局|委員会)(?!長|分|門|下|員|題|屋|数)"
)
HIGH, SURE = 0.7, 0.99  # similarity of readings: probably the same name; the same sound


@dataclass(frozen=True)
class Person:
    """A participant: ``name`` as given in the list, ``calls`` what people say (surname, given name, whole name)."""

    name: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Named:
    """A name in a text. ``sure`` is False when only the sound is near, or nobody of that name is known."""

    name: str
    start: int
    end: int
    sure: bool = True
    known: bool = True


def person(entry: str) -> Person:
    """``田中 一郎（営業部）``, ``営業部 田中``, ``Karen Smith`` → the name and how it is called."""
    bare = re.sub(r"[（(\[].*?[）)\]]", "", entry).strip() or entry.strip()
    parts = [p for p in re.split(r"[\s　・/／]+", bare) if p]
    named = [p for p in parts if not _DEPARTMENT.fullmatch(p) and not re.fullmatch(_TITLE, p)] or parts
    bare, parts = bare if named == parts else " ".join(named), named
    stripped = [re.sub(rf"{_TITLE}$", "", p) or p for p in parts]
    calls = dict.fromkeys(["".join(stripped) if is_japanese(bare) else " ".join(stripped), *stripped])
    if len(stripped) == 1 and is_japanese(bare) and len(stripped[0]) >= 3:
        calls.update(dict.fromkeys(w.text for w in words(stripped[0]) if "姓" in w.pos and w.text != stripped[0]))
    name = " ".join(stripped) if not is_japanese(bare) else "".join(stripped) if len(stripped) == 1 else bare
    return Person(name, tuple(c for c in calls if c))


@dataclass(frozen=True)
class People:
    """The participants of a meeting. Without a list, names said with さん or a title count, but as not sure."""

    persons: tuple[Person, ...]

    @classmethod
    def of(cls, participants: Sequence[str]) -> People:
        return cls(tuple(person(p) for p in participants if p.strip()))

    def joined_by(self, speakers: Iterable[str]) -> People:
        """With the speakers whom the transcript names and the list does not: who speaks is there."""
        heard = [n for n in dict.fromkeys(speakers) if n.strip() and not ANONYMOUS.match(n) and not self.resolve(n)]
        return People((*self.persons, *(Person(n, tuple(dict.fromkeys((n, *person(n).calls)))) for n in heard)))

    @cached_property
    def _literal(self) -> re.Pattern[str] | None:
        calls = sorted({c for p in self.persons for c in p.calls}, key=len, reverse=True)
        if not calls:
            return None
        return re.compile("|".join(rf"\b{re.escape(c)}\b" if c.isascii() else re.escape(c) for c in calls))

    def resolve(self, name: str) -> tuple[str, bool] | None:
        """The participant who is called so, and whether that is sure. None if nobody or several fit."""
        exact = [p.name for p in self.persons if fold(name) in {fold(c) for c in (*p.calls, p.name)}]
        if exact:
            return (exact[0], True) if len(set(exact)) == 1 else None
        if not is_japanese(name) or len(name) < 2:
            return None
        scored = sorted(((max(alike(name, c) for c in p.calls), p.name) for p in self.persons), reverse=True)
        if not scored or scored[0][0] < HIGH or (len(scored) > 1 and scored[1][0] >= scored[0][0] - 0.1):
            return None
        return scored[0][1], scored[0][0] >= SURE

    def mentions(self, text: str) -> list[Named]:
        """All persons and departments named in a text, in order."""
        found = [Named(self.resolve(m[0])[0], m.start(), m.end()) for m in self._exact(text)]  # type: ignore[index]
        for match in _MENTION.finditer(text):
            if not any(match.start("name") < n.end and n.start < match.end() for n in found):
                found += self._titled(match)
        return sorted(found, key=lambda n: n.start)

    def _exact(self, text: str) -> list[re.Match[str]]:
        if self._literal is None:
            return []
        return [m for m in self._literal.finditer(text) if self.resolve(m[0]) and _stands_alone(text, m)]

    def _titled(self, match: re.Match[str]) -> list[Named]:
        name = match["name"]
        if _NOT_PEOPLE.search(name):
            return []
        resolved = self.resolve(name)
        if resolved:
            return [Named(resolved[0], match.start("name"), match.end("name"), sure=resolved[1])]
        if any("人名" in w.pos for w in words(name)):
            return [Named(name, match.start("name"), match.end("name"), sure=not self.persons, known=False)]
        return []


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """A surname inside a longer word (森 in 森林, 原 in 原因) is no name."""
    if match[0].isascii():
        return True
    after = text[match.end() : match.end() + 5]
    if re.match(_TITLE, after):
        return not re.search(r"[一-鿿]$", text[: match.start()]) or len(match[0]) > 1
    if len(match[0]) == 1 or re.match(r"[一-鿿ァ-ヴー]", after) or re.search(r"[一-鿿ァ-ヴー]$", text[: match.start()]):
        word = next((w for w in words(text) if w.start <= match.start() < w.end), None)
        return word is not None and word.text == match[0] and "人名" in word.pos
    return True


def departments(text: str) -> list[Named]:
    """Departments named as such: 法務部, 審査部, 総務グループ."""
    return [Named(m[0], m.start(), m.end()) for m in _DEPARTMENT.finditer(text) if len(m[0]) >= 2]
