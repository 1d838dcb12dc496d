"""``python -m bench.migration``: move a large, dirty installation in, and write the figures into the page."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.arithmetic import percentile
from bench.deployment import fresh_deployment, make_templates
from bench.legacy.generate import generate
from bench.migration.live_load import PACE, LiveLoad
from bench.migration.page import write_page
from bench.results import ROOT, machine
from bench.roles import RoleProcess, environment, running, wait_until
from bench.servers import durable_settings, own_servers
from bench.sizes import QUICK
from runtime.postgres import connect
from runtime.settings import Settings
from sinks.jobs.store import Job, create_job, find_job

RESULTS: Final = ROOT / "bench" / "migration.json"
_KILLS: Final = 10
#: Time of the live commands alone, and then beside the beginning of the backfill. The backfill then goes on
#: without them: beside them it uses a twentieth of the time, and would take most of a day.
_LIVE_SECONDS: Final = 180.0
_LONGEST: Final = 4 * 3600.0


def main() -> None:
    """Run everything; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m bench.migration", description=__doc__)
    parser.add_argument("--activities", type=int, default=1_000_000)
    parser.add_argument("--todos", type=int, default=300_000, help="number of todo links")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--live-seconds", type=float, default=_LIVE_SECONDS)
    parser.add_argument("--dry", action="store_true", help="print the figures, and write no page")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interactions-legacy-") as folder, own_servers(_say) as servers:
        conditions = machine(durable_settings(servers), quick=False)
        make_templates(servers, QUICK)
        began = time.perf_counter()
        generate(Path(folder), activities=wanted.activities, todos=wanted.todos, seed=wanted.seed)
        figures: dict[str, Any] = {"generated_seconds": time.perf_counter() - began}
        with fresh_deployment(servers) as settings, running(settings, ["applier", "applier", "relay"]):
            figures["expected"] = json.loads((Path(folder) / "expected.json").read_text())
            figures["import"] = _import(settings, folder)
            figures["alone"] = _quantiles(_live(settings, "alone", wanted.live_seconds))
            figures |= _backfill(settings, wanted.live_seconds)
    figures["rows"] = {"activities": wanted.activities, "todos": wanted.todos}
    figures["live_seconds"] = wanted.live_seconds
    content = {"machine": conditions, **figures}
    if wanted.dry:
        sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")
        return
    RESULTS.write_text(json.dumps(content, indent=2, default=str) + "\n")
    write_page(content)
    _say("written: bench/migration.json and docs/migration.md")


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


def _import(settings: Settings, folder: str) -> dict[str, Any]:
    _say("importing")
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "legacy", "import", "--from", f"csv:{folder}", "--json"],
        env=environment(settings),
        stdout=subprocess.PIPE,
    ) as process:
        peak = 0.0
        output = b""
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        while process.poll() is None:
            output += process.stdout.read() or b""
            peak = max(peak, _peak_mib(process.pid) or peak)
            time.sleep(0.2)
        output += process.stdout.read() or b""
    # 1: some rows could not be imported, as the generator intends.
    if process.returncode not in (0, 1):
        raise RuntimeError(f"the import exited with {process.returncode}")
    return {
        "seconds": time.perf_counter() - began,
        "peak_mib": peak,
        "report": json.loads(output.splitlines()[-1]),
    }


def _peak_mib(pid: int) -> float | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
    return int(line.split()[1]) / 1024 if line is not None else None


def _live(settings: Settings, label: str, seconds: float) -> list[float]:
    """Latencies of live commands, without those of the first second."""
    _say(f"measuring {PACE} live commands per second {label}")
    load = LiveLoad(settings, label)
    time.sleep(seconds)
    return load.stop()[PACE:]


def _backfill(settings: Settings, live_seconds: float) -> dict[str, Any]:
    """Run the backfill, first with live commands beside it, then with ten kills of the jobs role."""
    job_id = _start(settings, "backfill", {"what": "all", "dryRun": False, "integrations": {}})
    began, rows_beside, latencies = time.perf_counter(), 0, list[float]()
    kills, peak = 0, 0.0
    with tempfile.TemporaryDirectory(prefix="interactions-jobs-") as folder:
        while True:
            role = RoleProcess(settings, "jobs", Path(folder), kills)
            try:
                wait_until(lambda role=role: role.ready, 120.0, "the jobs role is ready")  # type: ignore[misc]
                if not latencies:
                    latencies = _live(settings, "beside", live_seconds)
                    rows_beside, began = _job(settings, job_id).done, time.perf_counter()
                while (job := _job(settings, job_id)).state == "running" or job.state == "waiting":
                    peak = max(peak, role.memory()["rss_peak"])
                    left = (job.total or job.done) - rows_beside
                    share = (job.done - rows_beside) / left if left else 0.0
                    if kills < _KILLS and share >= (kills + 0.5) / _KILLS:
                        break
                    time.sleep(0.1)
                if job.state in ("running", "waiting"):
                    kills += 1
                    _say(f"kill -9 number {kills} at {job.done:,} of {job.total:,} rows")
                    role.kill()
                    continue
                seconds = time.perf_counter() - began
                _say(f"backfill {job.state}: {job.done:,} rows, {seconds:.0f} s without live commands")
                if job.state != "completed":
                    raise RuntimeError(f"the backfill is {job.state}: {job.reason}")
                parity = _finished(settings, None, "parity")
                if parity.state != "completed":
                    raise RuntimeError(f"the parity check is {parity.state}: {parity.reason}")
                again = _finished(
                    settings,
                    _start(
                        settings, "backfill", {"what": "all", "dryRun": False, "integrations": {}, "n": 2}
                    ),
                    "second backfill",
                )
            finally:
                role.end()
            break
    return {
        "backfill": {
            "seconds": seconds,
            "rows": job.done - rows_beside,
            "rows_beside": rows_beside,
            "kills": kills,
            "peak_mib": peak,
            "active_seconds": job.active_seconds,
            "report": job.report,
        },
        "beside": _quantiles(latencies),
        "parity": {"state": parity.state, "seconds": parity.active_seconds, "report": parity.report},
        "second": {"seconds": again.active_seconds, "created": _created(again)},
    }


def _quantiles(latencies: list[float]) -> dict[str, Any]:
    found = {f"p{share}": percentile(latencies, share / 100) for share in (50, 95, 99)}
    _say(f"{len(latencies)} live commands: " + ", ".join(f"{n} {s * 1000:.0f} ms" for n, s in found.items()))
    return {"commands": len(latencies), **found}


def _start(settings: Settings, kind: str, wanted: dict[str, Any]) -> str:
    import uuid

    job_id = str(uuid.uuid4())
    with connect(settings, application_name="interactions-bench", autocommit=True) as connection:
        create_job(connection, job_id, kind, settings=wanted, requested_by="bench")
    return job_id


def _job(settings: Settings, job_id: str) -> Job:
    with connect(settings, application_name="interactions-bench", autocommit=True) as connection:
        job = find_job(connection, job_id)
    assert job is not None
    return job


def _finished(settings: Settings, job_id: str | None, what: str) -> Job:
    """Wait for a job, or for the newest of a kind, and return it."""
    _say(f"waiting for the {what}")
    deadline = time.monotonic() + _LONGEST
    while time.monotonic() < deadline:
        with connect(settings, application_name="interactions-bench", autocommit=True) as connection:
            if job_id is None:
                from sinks.jobs.store import latest_job

                job = latest_job(connection, [what], None)
            else:
                job = find_job(connection, job_id)
        if job is not None and job.state not in ("waiting", "running"):
            return job
        time.sleep(0.2)
    raise TimeoutError(what)


def _created(job: Job) -> int:
    return sum(job.report.get(kind, {}).get("created", 0) for kind in ("activity", "todo", "interaction"))


if __name__ == "__main__":
    main()
