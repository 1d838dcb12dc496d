"""Plain English in docstrings, comments and pages: the worst habits do not come back."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
CODE = (
    "schemas",
    "domain",
    "runtime",
    "sinks",
    "streams",
    "connectors",
    "api",
    "web",
    "stack",
    "audit",
    "cli",
    "bench",
    "tests",
)
PAGES = ("README.md", "CONTRIBUTING.md", "RELEASE_NOTES.md", "docs/*.md")

#: A docstring opens with an imperative or a noun phrase.
RIDDLE: Final = re.compile(r"^(What|Which|Whether|How|Who|Whose|Where|Why)\b")
_UNITS: Final = (
    "second|minute|hour|day|week|month|record|row|column|table|batch|command|partition|customer|tenant|interaction"
    "|integration|request|message|window|transaction|connection|statement|worker|process|file|round|event|topic"
)
_COUNTED: Final = (
    r"\d[\d,.]*|one|two|three|many|once|twice|(?:milli|micro)?seconds|bytes|[km]?B|MiB|ms|µs|times|commands|records"
    r"|rows|events|requests|statements|queries|array|figures?"
)
_NO_RATE: Final = r"(?! (?:of|in|at|from|or|later|ago|before|after|behind))"
HABITS: Final = {
    "'per', not 'a'": re.compile(rf"\b(?:{_COUNTED}) an? (?:{_UNITS})\b{_NO_RATE}"),
    "name the actor: the caller, another worker": re.compile(
        r"\b([Ss]omebody|[Nn]obody|[Ww]hoever|[Aa]nybody|[Ee]verybody)\b"
    ),
    "'again', 'soon', 'otherwise' or a plain verb": re.compile(
        r"\b(anew|afresh|shortly|of ours|for ever|manieth)\b"
    ),
    "package, project, invariant": re.compile(
        r"\b([Rr]oom a duty|[Oo]ther rooms|[Tt]he house|[Ll]aws? (?:\d|of the design))\b"
    ),
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and comments of a module with their lines; the lines of a page outside code blocks."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        fenced = False
        for number, line in enumerate(source.splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            if not fenced:
                yield number, re.sub(r"`[^`]*`", "`…`", line)
        return
    for number, text in docstrings(source):
        yield from enumerate(text.splitlines(), number)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                yield node.body[0].lineno, text


def riddles(path: Path) -> list[str]:
    if path.suffix == ".md":
        return []
    return [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0].strip()}"
        for line, text in docstrings(path.read_text(encoding="utf-8"))
        if RIDDLE.match(text.strip())
    ]


def habits(path: Path) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: {advice}: {text.strip()}"
        for line, text in texts(path)
        for advice, habit in HABITS.items()
        if habit.search(text)
    ]


def files(place: str) -> list[Path]:
    if place.endswith(".md"):
        return sorted(ROOT.glob(place))
    return [file for file in sorted((ROOT / place).rglob("*.py")) if file != Path(__file__)]


@pytest.mark.parametrize("place", CODE)
def test_docstrings_open_with_an_imperative_or_a_noun(place: str) -> None:
    found = [riddle for file in files(place) for riddle in riddles(file)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", [*CODE, *PAGES])
def test_no_habit_comes_back(place: str) -> None:
    found = [habit for file in files(place) for habit in habits(file)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["What every answer carries.", "Whether it is open."])
def test_a_riddle_is_recognised(text: str) -> None:
    assert RIDDLE.match(text)


@pytest.mark.parametrize(
    "text", ["an array a column", "200 records a second", "somebody waits", "begun anew", "law 3"]
)
def test_a_habit_is_recognised(text: str) -> None:
    assert any(habit.search(text) for habit in HABITS.values())


@pytest.mark.parametrize("text", ["per second", "once a month of it is over"])
def test_plain_english_passes(text: str) -> None:
    assert not any(habit.search(text) for habit in HABITS.values())
