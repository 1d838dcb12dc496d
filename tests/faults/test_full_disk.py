"""A full disk under Postgres or Kafka: commands wait, and are applied once there is space."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from stack.down import stop_stack
from stack.launch import launch_stack
from tests.faults.engine import Engine
from tests.faults.testbed import start_testbed
from tests.harness.roles import wait_until
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(900)]
#: Free bytes at the start.
_ROOM = 400 << 20
_FULL_SECONDS = 8.0


def _move_to_small_disk(folder: Path) -> None:
    """Move a folder to a small file system mounted at the same path."""
    entry = sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))
    print(f"{folder.name} holds {entry >> 20} MiB")
    aside = folder.with_name(f"{folder.name}.aside")
    folder.rename(aside)
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={entry + _ROOM}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"cannot mount a small file system: {done.stderr.decode().strip()}")
    subprocess.run(["cp", "-a", f"{aside}/.", str(folder)], check=True)
    shutil.rmtree(aside)


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    # Unbuffered: a buffer would raise again when the file is closed.
    with filler.open("wb", buffering=0) as file:
        piece = b"\0" * (1 << 20)
        for size in (len(piece), 4096):
            try:
                while True:
                    file.write(piece[:size])
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return filler


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.parametrize("server", ["postgres", "kafka"])
def test_a_full_disk_loses_nothing(server: str, tmp_path: Path) -> None:
    with own_servers(3000) as servers:
        stop_stack(servers.home)
        folder = servers.home / "data" / server
        _move_to_small_disk(folder)
        try:
            addresses = launch_stack(servers.home, "none", stop_with_parent=True).addresses
            assert addresses.kafka_bootstrap_servers == servers.kafka_bootstrap_servers
            with (
                own_world(servers, TEMPLATE) as world,
                start_testbed(
                    world, tmp_path, seed=1, pace=150.0, commands=1_000_000, session_seconds=3.0
                ) as testbed,
            ):
                engine = Engine(testbed, 1, [], pause_every=10)
                began = time.monotonic()
                wait_until(lambda: testbed.load.acked_count > 300 and len(testbed.probe.applied) > 0, 60)
                wait_until(lambda: testbed.probe.all_moved_since(began), 60)
                filler = _fill(folder)
                full = time.monotonic()
                try:
                    # Nothing has been applied for a while, although commands are sent.
                    wait_until(
                        lambda: max(testbed.probe.moved.values()) < time.monotonic() - _FULL_SECONDS,
                        120,
                        lambda: "the full disk to stop progress",
                    )
                finally:
                    filler.unlink()
                free = time.monotonic()
                wait_until(lambda: testbed.probe.all_moved_since(free), 120, lambda: "nothing moves again")
                print(f"{server}: full for {free - full:.1f} s, then back in {time.monotonic() - free:.1f} s")
                assert engine.check(0).clean
        finally:
            stop_stack(servers.home)
            subprocess.run(["umount", str(folder)], check=False)
