"""The shape of the source, measured: long functions, big files and broad excepts stay rare (see the style guide)."""

import ast
from functools import cache
from pathlib import Path

from kakehashi.paths import CHECKOUT

PARTS = ("kakehashi", "gateway", "serving", "apps", "tools")
BROAD = {"Exception", "BaseException"}


@cache
def trees() -> dict[Path, ast.Module]:
    files = [p for part in PARTS for p in (CHECKOUT / part).rglob("*.py")]
    return {p: ast.parse(p.read_text()) for p in files}


def lines(path: Path) -> int:
    return path.read_text().count("\n")


def functions() -> list[tuple[int, str]]:
    found = [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(CHECKOUT)}:{node.lineno} {node.name}")
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    return sorted(found, reverse=True)


def test_no_file_is_over_600_lines() -> None:
    assert [f"{lines(p)} {p.relative_to(CHECKOUT)}" for p in trees() if lines(p) > 600] == []


def test_nine_functions_in_ten_have_at_most_25_lines() -> None:
    found = functions()
    length, name = found[len(found) // 10]
    assert length <= 25, name


def test_all_but_one_function_in_a_hundred_have_at_most_60_lines() -> None:
    found = functions()
    assert [f for f in found if f[0] > 60][len(found) // 100 :] == []


def test_broad_excepts_are_rare() -> None:
    broad = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and (node.type is None or getattr(node.type, "id", "") in BROAD)
    ]
    assert len(broad) <= max(1, sum(map(lines, trees())) // 1000), broad


def test_each_package_says_its_purpose_first() -> None:
    packages = [(p, tree) for p, tree in trees().items() if p.name == "__init__.py"]
    assert [str(p.relative_to(CHECKOUT)) for p, tree in packages if not ast.get_docstring(tree)] == []
