"""Real servers for tests: one stack per run, and a world of its own on it for each test."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from psycopg import sql
from pydantic import SecretStr

from runtime.kafka import make_admin
from runtime.postgres import connect
from runtime.registry import make_registry
from runtime.schema_registration import subjects
from runtime.settings import Settings, load_settings
from runtime.topics import ensure_topics, existing_topics
from sinks.migrate import upgrade
from tests.container_stack import container_stack
from tests.harness.clients import forget_results
from tests.session_stack import STACK

#: A worker's own: several workers share one stack.
_TEMPLATE = f"template_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def embedded_stack(pytestconfig: pytest.Config) -> Iterator[Settings]:
    """Kafka, Postgres and the registry, without roles, for the whole run.

    With ``INTERACTIONS_TEST_STACK=containers`` the servers are containers instead, of each worker its own;
    with ``INTERACTIONS_TEST_STACK=running`` they are those that the environment names, and stay up.
    """
    wanted = os.environ.get("INTERACTIONS_TEST_STACK", "embedded")
    if wanted == "containers":
        with container_stack() as settings:
            yield settings
    elif wanted == "running":
        yield load_settings()
    else:
        with pytestconfig.stash[STACK].settings() as settings:
            yield settings


@pytest.fixture(scope="session")
def template_database(embedded_stack: Settings) -> Iterator[str]:
    """Name of a database with the newest schema, to be copied; copying takes a tenth of migrating."""
    _administer(embedded_stack, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
    upgrade(_on_database(embedded_stack, _TEMPLATE))
    yield _TEMPLATE
    _administer(embedded_stack, sql.SQL("DROP DATABASE {}").format(sql.Identifier(_TEMPLATE)))


@pytest.fixture(scope="session")
def worlds(embedded_stack: Settings, template_database: str) -> Iterator[Worlds]:
    """The worlds of :func:`fresh_settings`."""
    made = Worlds(embedded_stack, template_database)
    yield made
    made.close()


@pytest.fixture
def fresh_settings(worlds: Worlds) -> Iterator[Settings]:
    """A new database, new topics and a new consumer group on the session's servers."""
    settings = worlds.take()
    yield settings
    worlds.give_back(settings)


@pytest.fixture
def fresh_database(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A new database alone, for a test that needs neither topics nor schemas."""
    with own_database(embedded_stack, template_database) as settings:
        yield settings


class Worlds:
    """Worlds made ahead of their use and removed after it, in the background: no test waits for either."""

    def __init__(self, stack: Settings, template: str) -> None:
        self._stack = stack
        self._template = template
        self._makers = ThreadPoolExecutor(1, "world-maker")
        self._removers = ThreadPoolExecutor(1, "world-remover")
        self._next: Future[Settings] | None = None
        self._removals: list[Future[None]] = []

    def take(self) -> Settings:
        """Take the world that was made ahead, and begin the next one."""
        ready = self._next or self._begun()
        self._next = None
        settings = ready.result()
        self._next = self._begun()
        return settings

    def give_back(self, settings: Settings) -> None:
        """Remove a world soon."""
        self._removals.append(self._removers.submit(_remove_world, self._stack, settings))

    def close(self) -> None:
        """Remove every world.

        :raises Exception: one could not be removed.
        """
        if self._next is not None:
            self.give_back(self._next.result())
        self._makers.shutdown()
        self._removers.shutdown()
        for removal in self._removals:
            removal.result()

    def _begun(self) -> Future[Settings]:
        return self._makers.submit(_make_world, self._stack, self._template)


@contextlib.contextmanager
def own_world(stack: Settings, template: str) -> Iterator[Settings]:
    """A database, topics and a consumer group of one's own, for the length of a block."""
    settings = _make_world(stack, template)
    try:
        yield settings
    finally:
        _remove_world(stack, settings)


@contextlib.contextmanager
def own_database(stack: Settings, template: str) -> Iterator[Settings]:
    """A database of one's own, for the length of a block; names of topics that do not exist."""
    settings = _own_names(stack)
    _copy_database(stack, template, settings)
    try:
        yield settings
    finally:
        _drop_database(stack, settings)


def _make_world(stack: Settings, template: str) -> Settings:
    settings = _own_names(stack)
    with ThreadPoolExecutor(2) as at_once:
        topics = at_once.submit(ensure_topics, settings)
        schemas = at_once.submit(_register_schemas, settings)
        _copy_database(stack, template, settings)
        topics.result()
        schemas.result()
    return settings


def _register_schemas(settings: Settings) -> None:
    # Without the compatibility of a deployment's subjects, which is two of three requests.
    registry = make_registry(settings)
    for _, name, schema in subjects(settings):
        registry.register_schema(name, schema)


def _own_names(stack: Settings) -> Settings:
    """Settings with the names of a database, topics and a consumer group that do not exist yet."""
    name = f"t{uuid.uuid4().hex[:12]}"
    return _on_database(stack, name).model_copy(
        update={"topic_prefix": f"{name}.", "consumer_group": f"{name}-applier"}
    )


def _copy_database(stack: Settings, template: str, settings: Settings) -> None:
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    _administer(stack, copy.format(_database_of(settings), sql.Identifier(template)))


def _drop_database(stack: Settings, settings: Settings) -> None:
    _administer(stack, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(_database_of(settings)))


def _database_of(settings: Settings) -> sql.Identifier:
    return sql.Identifier(settings.topic_prefix.removesuffix("."))


def _remove_world(stack: Settings, settings: Settings) -> None:
    forget_results(settings)
    admin = make_admin(settings)
    mine = [topic for topic in existing_topics(admin) if topic.startswith(settings.topic_prefix)]
    for future in admin.delete_topics(mine).values():
        future.result()
    _drop_database(stack, settings)


def _on_database(settings: Settings, name: str) -> Settings:
    assert settings.database_url is not None
    url = urlsplit(settings.database_url.get_secret_value())._replace(path=f"/{name}").geturl()
    return settings.model_copy(update={"database_url": SecretStr(url)})


def _administer(settings: Settings, statement: sql.Composed) -> None:
    with connect(
        _on_database(settings, "postgres"), application_name="interactions-tests", autocommit=True
    ) as connection:
        connection.execute(statement)
