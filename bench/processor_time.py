"""Processor time of processes and of the servers, from outside."""

from __future__ import annotations

import psutil

from runtime.running_stack import read_running_stack
from runtime.settings import Settings

#: The servers that carry commands and rows.
_SERVERS = ("postgres", "kafka")


def of_process(pid: int) -> float:
    """Processor seconds so far of a process and its children, also of those that have ended."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    used = times.user + times.system + times.children_user + times.children_system
    return float(used) + sum(of_process(child.pid) for child in process.children())


def of_servers(settings: Settings) -> float:
    """Processor seconds so far of Postgres and Kafka.

    A Postgres backend that ends meanwhile is counted once: by its parent, which collects it.
    """
    running = read_running_stack(settings.home)
    assert running is not None
    pids = [record.pid for record in running.processes if record.role in _SERVERS]
    return sum(of_process(pid) for pid in pids if pid is not None)
