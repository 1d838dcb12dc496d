"""Links, repository paths and modules named by the pages exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("bench/**/*.md")]
)
PACKAGES: Final = frozenset(
    f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")
)
#: Files that a tutorial has its reader write.
WRITTEN_BY_THE_READER: Final = frozenset({"connectors/providers/shelf.py", "test_shelf.py"})
FILES: Final = WRITTEN_BY_THE_READER | {
    file.name for package in PACKAGES for file in (ROOT / package).rglob("*.py")
}
_FENCED: Final = re.compile(r"```.*?```", re.DOTALL)


def links(text: str) -> list[str]:
    """Relative targets of links and images outside code blocks."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", text))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def paths(text: str) -> Iterator[str]:
    """Paths below a top-level folder that stand alone in backticks; ``a/{b,c}`` names two."""
    for code in re.findall(r"`([^`\s]+)`", _FENCED.sub("", text)):
        if not re.fullmatch(r"[\w./{},*-]+", code) or not code.startswith(tuple(PACKAGES)):
            continue
        braces = re.search(r"\{([^{}]+)\}", code)
        for choice in braces[1].split(",") if braces else [""]:
            yield code[: braces.start()] + choice + code[braces.end() :] if braces else code


def files(text: str) -> list[str]:
    """Python files named in backticks without their folder."""
    return re.findall(r"`([\w-]+\.py)`", _FENCED.sub("", text))


def modules(text: str) -> list[str]:
    """Modules of this repository that a page runs with ``python -m``."""
    named = re.findall(r"python3? -m ([a-z_][\w.]*)", text)
    return [name for name in named if f"{name.partition('.')[0]}/" in PACKAGES]


def anchors(text: str) -> set[str]:
    """Anchors that GitHub derives from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_link(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    return not file.exists() or bool(anchor and anchor not in anchors(file.read_text(encoding="utf-8")))


def module_exists(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_paths_and_modules_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    broken = [target for target in links(text) if broken_link(page, target)]
    broken += [path for path in paths(text) if path not in WRITTEN_BY_THE_READER and not any(ROOT.glob(path))]
    broken += [name for name in files(text) if name not in FILES]
    broken += [f"python -m {name}" for name in modules(text) if not module_exists(name)]
    assert not broken, broken


def test_pages_named_by_the_code_exist() -> None:
    """Messages, docstrings and comments refer to pages as ``docs/….md``."""
    broken = []
    for package in sorted(PACKAGES):
        for file in (ROOT / package).rglob("*.py"):
            if file == Path(__file__):
                continue
            named = re.findall(r"\b(?:docs|examples)/[\w/-]+\.(?:md|json|svg|py)", file.read_text("utf-8"))
            broken += [f"{file.relative_to(ROOT)}: {name}" for name in named if not (ROOT / name).exists()]
    assert not broken, broken


def test_a_broken_link_is_found() -> None:
    page = ROOT / "README.md"
    assert broken_link(page, "docs/nowhere.md")
    assert broken_link(page, "docs/operations.md#nowhere")
    assert not broken_link(page, "docs/operations.md#your-own-servers")


def test_paths_are_expanded_and_found() -> None:
    assert list(paths("`streams/{applier,relay}/__init__.py` and `kafka/applier`")) == [
        "streams/applier/__init__.py",
        "streams/relay/__init__.py",
    ]
    assert files("`decide.py` and `domain/decide.py`") == ["decide.py"]
    assert modules("python -m tests.nowhere; python -m venv x") == ["tests.nowhere"]
    assert not module_exists("tests.nowhere")
