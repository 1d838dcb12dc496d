"""The Java servers of the stack start from their caches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runtime.running_stack import read_stack_file
from runtime.settings import Settings


@pytest.mark.parametrize("server", ["kafka", "schema-registry"])
def test_the_jvm_accepts_the_cache(embedded_stack: Settings, server: str) -> None:
    state = read_stack_file(embedded_stack.home)
    if state is None:
        pytest.skip("the servers are not embedded")
    (process,) = [record for record in state.processes if record.name == server]
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    assert any(word.startswith("-XX:AOTCache=") for word in command)
    # With `on` instead of the default `auto`, a cache that does not fit is an error.
    options = [command[0], "-XX:AOTMode=on", *command[1 : command.index("-cp") + 2], "-version"]
    shown = subprocess.run(options, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
