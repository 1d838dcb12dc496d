"""Run the curl lines of docs/http-api.md in one shell, in order, against a stack."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from runtime.gateway_settings import GatewaySettings
from stack.down import stop_stack
from stack.launch import launch_stack
from tests.harness.marked_blocks import script_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/http-api.md").read_text()


@pytest.mark.long
def test_the_curl_lines_work_as_they_are_written(tmp_path: Path) -> None:
    curl, bash = shutil.which("curl"), shutil.which("bash")
    if curl is None or bash is None:
        pytest.skip("there is no curl here")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INTERACTIONS_")}
    home = Path(tempfile.mkdtemp(prefix="interactions-docs-"))
    (tmp_path / "interactions").write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n')
    (tmp_path / "interactions").chmod(0o755)
    variables = {
        **environment,
        "INTERACTIONS_HOME": str(home),
        "PATH": f"{tmp_path}:{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    outside = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("INTERACTIONS_")}
    try:
        launch_stack(home, "applier,relay,drafts,gateway", stop_with_parent=True)
        lines = 'eval "$(interactions env)"\n' + script_of(PAGE, at_least=6) + "\nexec interactions audit"
        done = subprocess.run(
            [bash, "-c", lines], env=variables, capture_output=True, text=True, check=False, timeout=200
        )
        key = home / "data" / "gateway.key"
        assert key.stat().st_mode & 0o777 == 0o600
    finally:
        stop_stack(home)
        shutil.rmtree(home)
        os.environ.update(outside)
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
    refused = subprocess.run(
        [tmp_path / "interactions", "token", "--tenant", "1", "--organization", "2"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2, "no stack runs any more, and these are no ids"


def test_the_mutation_guard_on_the_page_is_the_example() -> None:
    ((path, quote),) = re.findall(r"<!-- from: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert quote in (ROOT / path).read_text()


def test_every_setting_is_listed() -> None:
    listed = set(re.findall(r"`([A-Z_]+)`", PAGE[PAGE.index("## Settings") :]))
    assert listed == {name.upper() for name in GatewaySettings.model_fields}
