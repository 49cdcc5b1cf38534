"""Answers of the model kept on disk as they come, so that a rerun asks only what failed or changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from apps.common.client import Answer, Question
from apps.common.provenance import Origin
from kakehashi.errors import KakehashiError

ONE_ONLY = ("answer_cut",)  # failures that concern one question; its item keeps the rule's text


class Asker(Protocol):
    """The gateway client, or a fake in tests."""

    parallel: int

    def ask_many(self, questions: Sequence[Question]) -> list[Answer | KakehashiError]: ...


def key(question: Question) -> str:
    """Identity of a question: prompt file, values, schema."""
    parts = [question.prompt.ref, question.prompt.sha256, question.values, question.schema, question.settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


class Answers:
    """A folder with one file per answered question."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, question: Question) -> Answer | None:
        file = self.folder / f"{key(question)}.json"
        if not file.exists():
            return None
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Answer(**{**kept, "origin": Origin(**kept["origin"])})

    def put(self, question: Question, answer: Answer) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{key(question)}.json"
        kept = {**vars(answer), "origin": answer.origin.model_dump()}
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
        temporary.replace(file)


def ask(
    questions: Sequence[Question], client: Asker, kept: Answers, tick: Callable[[int, int], None]
) -> list[Answer | KakehashiError]:
    """Answers in the order of the questions; those kept from an earlier run are not asked again.

    ``tick(done, all)`` is called between groups: it reports progress and may raise Cancelled. After a failure that
    concerns all (gateway down, key refused) the rest is not asked.
    """
    results: list[Answer | KakehashiError | None] = [kept.get(q) for q in questions]
    open_ = [i for i, r in enumerate(results) if r is None]
    fatal: KakehashiError | None = None
    for start in range(0, len(open_), client.parallel):
        tick(len(questions) - len(open_) + start, len(questions))
        group = open_[start : start + client.parallel]
        answered = client.ask_many([questions[i] for i in group]) if fatal is None else [fatal] * len(group)
        for index, result in zip(group, answered, strict=True):
            results[index] = result
            if isinstance(result, Answer):
                kept.put(questions[index], result)
        errors = [r for r in answered if isinstance(r, KakehashiError)]
        systemic = [e for e in errors if e.code not in ONE_ONLY]
        fatal = fatal or (systemic[0] if len(systemic) == len(group) else None)
    tick(len(questions), len(questions))
    return [r for r in results if r is not None]
