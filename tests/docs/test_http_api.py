"""Run the curl lines of docs/http-api.md in one shell, in order, against a stack."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from runtime.gateway_settings import GatewaySettings
from tests.harness.marked_blocks import script_of
from tests.harness.page_shell import run_lines, stack_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/http-api.md").read_text()


@pytest.mark.long
def test_the_curl_lines_work_as_they_are_written(tmp_path: Path) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("there is no curl here")
    with stack_of("applier,relay,drafts,gateway") as variables:
        pasted = script_of(PAGE, at_least=6)
        # Twice, as readers do.
        lines = f'eval "$(interactions env)"\n{pasted}\n{pasted}\nexec interactions audit'
        done = run_lines(lines, variables, tmp_path)
        key = Path(variables["INTERACTIONS_HOME"]) / "data" / "gateway.key"
        assert key.stat().st_mode & 0o777 == 0o600
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for text in (
        '"title":"Ring back"',
        '"code":"precondition_failed"',
        '"ok":true',
        '{"items":[]}',
        '"status":"sent"',
        "event: ready",
        "No violation.",
    ):
        assert text in done.stdout, text
    refused = run_lines("interactions token --tenant 1 --organization 2", variables, tmp_path)
    assert refused.returncode == 2, "no stack runs any more, and these are no ids"


def test_the_mutation_guard_on_the_page_is_the_example() -> None:
    ((path, quote),) = re.findall(r"<!-- from: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert quote in (ROOT / path).read_text()


def test_every_setting_is_listed() -> None:
    listed = set(re.findall(r"`([A-Z_]+)`", PAGE[PAGE.index("## Settings") :]))
    assert listed == {name.upper() for name in GatewaySettings.model_fields}
