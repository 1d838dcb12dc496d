"""Rolling upgrade: roles of the version before the newest migration on its schema, and the reverse."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from runtime.postgres import make_engine
from runtime.readiness import READY_FILE_VARIABLE, has_announced
from runtime.settings import Settings
from sinks import migrate
from tests.harness.audit import assert_clean
from tests.harness.roles import environment, running, wait_until
from tests.harness.wire import event, new_id, outcomes, publish, wait_for_results
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

_ROOT: Final = Path(__file__).resolve().parents[2]
_VERSIONS: Final = _ROOT / "sinks" / "migrations" / "versions"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code before the newest migration, from the repository's history."""
    newest = max(_VERSIONS.glob("0*.py"))
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(newest.relative_to(_ROOT)))
    before = _git("rev-parse", f"{added.splitlines()[-1]}^") if added else ""
    if not before:
        pytest.skip("this checkout has no history: the previous version cannot be run")
    folder = tmp_path_factory.mktemp("previous")
    archive = folder / "code.tar"
    subprocess.run(
        ["git", "archive", "--output", str(archive), before], cwd=_ROOT, check=True, capture_output=True
    )
    code = folder / "code"
    with tarfile.open(archive) as tar:
        tar.extractall(code, filter="data")
    return code


@contextlib.contextmanager
def old_role(code: Path, settings: Settings, role: str, folder: Path) -> Iterator[None]:
    """Run a role of the previous version."""
    ready, log = folder / f"{role}.ready", folder / f"{role}.log"
    variables = {**environment(settings), READY_FILE_VARIABLE: str(ready), "PYTHONPATH": str(code)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "run", role],
            cwd=code,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: has_announced(ready, process.pid), 60, lambda: log.read_text()[-3000:])
        yield
    finally:
        process.terminate()
        process.wait(60)


def _story(title: str, entity: str) -> list[dict[str, object]]:
    return [
        event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
        event(
            "interaction.create",
            entity,
            {
                "id": new_id(),
                "interactionType": "call",
                "title": title,
                "scheduledAt": "2031-01-01T00:00:00Z",
            },
        ),
    ]


def test_roles_of_the_previous_version_run_on_the_new_schema(
    embedded_stack: Settings, template_database: str, previous: Path, tmp_path: Path
) -> None:
    with own_world(embedded_stack, template_database) as settings:
        entity = new_id()
        # The old version registered its own forms of the schemas, which it looks up.
        subprocess.run(
            [sys.executable, "-m", "cli.main", "topics", "--create"],
            cwd=previous,
            env={**environment(settings), "PYTHONPATH": str(previous)},
            check=True,
            capture_output=True,
        )
        with (
            old_role(previous, settings, "applier", tmp_path),
            old_role(previous, settings, "relay", tmp_path),
            old_role(previous, settings, "timers", tmp_path),
        ):
            told = outcomes(settings, _story("by the old version", entity))
            assert [result["outcome"] for result in told] == ["applied", "applied"]
        with running(settings, "applier"), running(settings, "relay"):
            told = outcomes(settings, _story("by the new one", entity))
            assert [result["outcome"] for result in told] == ["no_op", "applied"]
            assert_clean(settings)


def test_roles_of_this_version_wait_for_the_new_schema_and_lose_nothing(
    embedded_stack: Settings, template_database: str
) -> None:
    with own_world(embedded_stack, template_database) as settings:
        engine = make_engine(settings)
        with engine.begin() as connection:
            config = migrate._config(connection)
            head = ScriptDirectory.from_config(config).get_revision("head")
            assert head is not None
            assert isinstance(head.down_revision, str)
            command.downgrade(config, head.down_revision)
        engine.dispose()
        entity = new_id()
        places = publish(settings, _story("before the upgrade", entity))
        with running(settings, "applier") as applier:
            wait_until(
                lambda: applier.process.poll() is not None or bool(_results(settings, places)),
                60,
                lambda: applier.log[-3000:],
            )
            if applier.process.poll() is not None:
                assert "interactions db upgrade" in applier.log
        migrate.upgrade(settings)
        with running(settings, "applier"), running(settings, "relay"):
            assert len(wait_for_results(settings, places)) == 2
            assert_clean(settings)


def _results(settings: Settings, places: list[tuple[int, int]]) -> bool:
    try:
        return len(wait_for_results(settings, places, seconds=1)) == len(places)
    except AssertionError:
        return False
