"""A pid with its start id names one process, on Linux and by psutil."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from runtime import process_identity
from runtime.process_identity import process_start_id

SOURCES = [process_start_id, process_identity._start_time_from_psutil]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


@pytest.mark.parametrize("start_id", SOURCES)
def test_a_process_keeps_its_start_id(start_id: Callable[[int], str | None]) -> None:
    assert start_id(os.getpid()) == start_id(os.getpid()) is not None


@pytest.mark.parametrize("start_id", SOURCES)
def test_an_ended_process_has_none_even_as_a_zombie(
    child: subprocess.Popen[bytes], start_id: Callable[[int], str | None]
) -> None:
    assert start_id(child.pid) is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert start_id(child.pid) is None
    child.wait()
    assert start_id(child.pid) is None


def test_another_start_id_means_another_process() -> None:
    assert not process_identity.is_alive(os.getpid(), "another boot:1")
