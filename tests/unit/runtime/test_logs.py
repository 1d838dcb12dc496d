"""Log lines: on stderr, each with a machine-readable name, without customer text."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import logging
from runtime.logs import configure_logging, get_logger
from runtime.settings import Settings
configure_logging(Settings(log_format="json"))
get_logger("applier").info("applier.committed", rows=3, title="Call Ada", body="secret")
logging.getLogger("some.library").warning("library %s", "text")
logging.getLogger("httpx2").info("GET /")
"""


def test_lines_are_json_on_stderr_and_withhold_customer_text() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert ran.stdout == ""
    assert [line["event"] for line in lines] == ["applier.committed", "library.log"]
    assert lines[0]["rows"] == 3
    assert lines[1]["message"] == "library text"
    assert "Ada" not in ran.stderr
    assert "secret" not in ran.stderr
