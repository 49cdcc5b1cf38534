"""Docs that cannot drift: the configuration page is generated, links lead somewhere, both READMEs have the same shape."""

import re
from pathlib import Path

import pytest

from kakehashi.paths import CHECKOUT
from tools.make_config_docs import PAGE, page

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])


def test_the_configuration_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m tools.make_config_docs"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(CHECKOUT)))
def test_each_relative_link_leads_to_a_file(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert [t for t in local if not (path.parent / t).exists()] == []


def test_the_two_readmes_have_the_same_sections_commands_and_pictures() -> None:
    english, japanese = ((CHECKOUT / name).read_text() for name in ("README.md", "README.ja.md"))
    for pattern in (r"(?m)^(#+) ", r"(?m)^(?:make|kakehashi|\.venv/bin/kakehashi) [a-z -]+", r"!\[[^\]]*\]\(([^)]+)\)"):
        assert re.findall(pattern, english) == re.findall(pattern, japanese)


def test_no_document_names_a_place_on_one_machine() -> None:
    assert [p.name for p in PAGES if re.search(r"/(?:home|root|work)/\w", p.read_text())] == []


def test_every_proof_that_the_threat_model_names_is_there() -> None:
    table = [line for line in (CHECKOUT / "docs/security.md").read_text().splitlines() if line.startswith("| ")]
    proofs = re.findall(r"`(test_\w+)::(\w+)`", "\n".join(table))
    sources = {path.stem: path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py")}
    assert len(proofs) >= 20
    missing = [
        f"{file}::{name}" for file, name in proofs if not re.search(rf"(?:def|class) {name}\b", sources.get(file, ""))
    ]
    assert missing == []
