"""The published schemas are current, and what others build on validates against them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kakehashi.paths import CHECKOUT
from tools.make_schemas import SCHEMAS, schema_text

FOLDER = CHECKOUT / "docs" / "schemas"
CHECK = {"status": "needs_review", "reasons": ["期限が発言にありません"]}
SAMPLES: dict[str, Any] = {
    "transcript": {
        "language": "ja",
        "segments": [{"id": "s0001", "start": 0.0, "end": 2.5, "speaker": "話者1", "text": "始めます。"}],
    },
    "minutes": {
        "meeting": {"title": "定例", "date": "2026-11-23", "participants": ["田中"]},
        "decisions": [{"text": "採用する。", "evidence": ["s0001"], "check": {"status": "supported", "reasons": []}}],
        "actions": [
            {"task": "送る", "owner": "田中", "due": None, "due_text": "来週", "evidence": ["s0001"], "check": CHECK}
        ],
        "open_questions": [],
        "topics": [],
        "meta": {},
    },
    "deck": {"title": "ご提案", "client": "A社", "slides": [{"id": "1", "kind": "title", "title": "ご提案"}]},
    "report": {
        "numbers": [{"slide": "1", "text": "12%", "value": 12.0, "unit": "%", "evidence": ["E1"], "status": "traced"}],
        "findings": [{"slide": "1", "rule": "r", "severity": "warn", "message": "m", "status": "open"}],
        "contradictions": [{"values": ["1", "2"], "sources": ["D1", "D2"]}],
        "meta": {},
    },
    "status": {"components": [{"name": "engine", "url": None, "pid": 1, "state": "running", "version": "0.32.0"}]},
    "key": {"id": "key_1", "key": "kk_abc"},
    "guard-scan": {
        "action": "mask",
        "text": "[[PERSON_1]]様",
        "findings": [{"start": 0, "end": 2, "type": "PERSON", "rule": "person.honorific", "confidence": 0.9}],
    },
    "brief": {"client": "A社", "needs": ["省力化"]},
}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_published_schema_is_current(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == schema_text(name), "run: python -m tools.make_schemas"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_sample_validates_through_the_model_and_the_schema(name: str) -> None:
    schema = json.loads((FOLDER / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    dumped = SCHEMAS[name].model_validate(SAMPLES[name]).model_dump(mode="json")
    jsonschema.validate(dumped, schema)


def test_no_schema_is_left_over() -> None:
    assert {p.stem for p in Path(FOLDER).glob("*.json")} == set(SCHEMAS)


@pytest.mark.parametrize("name", ["minutes", "deck", "guard-scan", "status"])
def test_a_schema_refuses_what_the_contract_does_not_have(name: str) -> None:
    schema = json.loads((FOLDER / f"{name}.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"unknown": 1}, schema)
