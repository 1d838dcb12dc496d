"""The page about tools for assistants: its tables match the code, and its examples run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr

from api.app import make_app
from api.assistant.results import Outcome
from api.assistant.tools.catalog import TOOLS
from api.assistant.tools.tool import WriteTool
from api.authorization import api_routes, requirement_of
from runtime.assistant_settings import MCP_PREFIX, AssistantSettings
from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings
from tests.harness.marked_blocks import script_of
from tests.harness.page_shell import run_lines, stack_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/assistants.md").read_text()
ID = "11111111-1111-4111-8111-111111111111"


def rows(heading: str) -> list[list[str]]:
    """Cells of the tables of a section."""
    text = re.split(r"^## ", PAGE[PAGE.index(f"## {heading}\n") + 3 :], flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_tool_is_listed_with_the_features_of_its_route() -> None:
    app = make_app(Settings(), GatewaySettings(jwt_secret=SecretStr("x" * 32)))
    needed: dict[str, tuple[str, ...]] = {}
    for route in api_routes(app):
        requirement = requirement_of(route)
        if requirement is not None:
            needed |= {f"{method} {route.path}": requirement.any_of for method in route.methods or ()}
    listed = {cells[0].strip("`"): cells for cells in rows("Tools")}
    assert list(listed) == list(TOOLS)
    for name, tool in TOOLS.items():
        features = tuple(re.findall(r"`([a-z_.]+)`", listed[name][1]))
        assert features == (needed[tool.route] if isinstance(tool, WriteTool) else ("customers.view",)), name
        two_calls = isinstance(tool, WriteTool) and "confirmation" in tool.arguments.model_fields
        assert ("two calls" in listed[name][2]) == two_calls, name


def test_every_outcome_is_listed() -> None:
    listed = [cells[0].strip("`") for cells in rows("Answers") if cells[0] != "`outcome`"]
    assert sorted(listed) == sorted([*get_args(Outcome), "SAVED", "NOT SAVED", "NOT KNOWN YET"])


def test_every_setting_is_listed() -> None:
    listed = {cells[0].strip("`") for cells in rows("Connect an assistant")}
    assert listed == {f"{MCP_PREFIX}{name.upper()}" for name in AssistantSettings.model_fields}


def test_the_program_on_the_page_is_the_example() -> None:
    ((path, quote),) = re.findall(r"<!-- from: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert quote in (ROOT / path).read_text()


@pytest.mark.integration
@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_lines_work_as_they_are_written(tmp_path: Path) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("there is no curl here")
    with stack_of("applier,gateway") as variables:
        lines = 'eval "$(interactions env)"\n' + script_of(PAGE, at_least=2)
        done = run_lines(lines, variables, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for text in (
        "SAVED (applied)",
        "SAVED (duplicate)",
        '"find_customers"',
        '"bearer_methods_supported"',
    ):
        assert text in done.stdout, text
