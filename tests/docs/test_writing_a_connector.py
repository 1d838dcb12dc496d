"""docs/writing-a-connector.md quotes existing files, and its connector is found once installed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.service.catalogue import declarations
from schemas import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/writing-a-connector.md").read_text()
QUOTES = re.findall(r"<!-- from: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("path", "quote"), QUOTES)
def test_a_quoted_block_stands_in_the_file(path: str, quote: str) -> None:
    assert _layoutless(quote) in _layoutless((ROOT / path).read_text())


def _layoutless(code: str) -> str:
    """Code without its layout: the formatter wraps a method differently when it is quoted alone."""
    return re.sub(r"[\s,]+", "", code)


def test_every_block_of_python_is_a_quote() -> None:
    assert len(QUOTES) == PAGE.count("```python") >= 7


def test_every_error_it_names_is_one_and_none_is_left_out() -> None:
    rows = re.search(r"\| raise \|.*?\n\|[-|]+\n(.*?)\n\n", PAGE, re.DOTALL)
    assert rows is not None
    named = re.findall(r"^\| `(\w+)`", rows[1], re.MULTILINE)
    known = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.InteractionsError)
    ]
    assert sorted([*named, "InteractionsError"]) == sorted(known)


def test_the_table_names_every_provider() -> None:
    table = PAGE.partition("## Built-in providers")[2].partition("\n\nModules")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(declarations())


def test_the_example_is_found_where_the_page_puts_it(tmp_path: Path) -> None:
    """Installed: copied next to the other providers, and loaded in a separate process."""
    (tmp_path / "shelf.py").write_bytes((ROOT / "examples/connector/shelf.py").read_bytes())
    code = (
        "import connectors.providers as providers; from connectors.service.catalogue import declaration;"
        f"providers.__path__.append({str(tmp_path)!r});"
        "print(declaration('shelf').title, sorted(declaration('shelf').settings.secret_fields()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "Shelf ['token']\n", done.stderr


def test_a_provider_imports_nothing_but_what_the_page_allows() -> None:
    allowed = {"connectors", "schemas", "pydantic", *sys.stdlib_module_names}
    tree = ast.parse((ROOT / "examples/connector/shelf.py").read_text())
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    assert {name.partition(".")[0] for name in modules} <= allowed
