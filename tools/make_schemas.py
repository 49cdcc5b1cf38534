"""Write the published contracts as JSON Schema to ``docs/schemas/`` (``python -m tools.make_schemas [--check]``)."""

from __future__ import annotations

import json
import sys

from pydantic import BaseModel

from apps.minutes.model import Minutes, Transcript
from apps.proposals.model import Brief, Deck, Report
from kakehashi.contracts import KeyCreated, ScanAnswer, Status
from kakehashi.paths import CHECKOUT

SCHEMAS: dict[str, type[BaseModel]] = {
    "brief": Brief,
    "deck": Deck,
    "guard-scan": ScanAnswer,
    "key": KeyCreated,
    "minutes": Minutes,
    "report": Report,
    "status": Status,
    "transcript": Transcript,
}
FOLDER = CHECKOUT / "docs" / "schemas"


def schema_text(name: str) -> str:
    """The schema of one contract as it is published: JSON Schema 2020-12, stable order."""
    schema = SCHEMAS[name].model_json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{name}.json"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the files; with ``--check`` only say which are out of date (exit code 1)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = [n for n in SCHEMAS if not (p := FOLDER / f"{n}.json").exists() or p.read_text() != schema_text(n)]
    if "--check" in sys.argv:
        print("out of date: " + ", ".join(stale) if stale else "schemas are current")
        return 1 if stale else 0
    for name in stale:
        (FOLDER / f"{name}.json").write_text(schema_text(name))
        print(f"wrote docs/schemas/{name}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
