"""Ports: free at the first start, unchanged at later starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from schemas.errors import Stop
from stack.home import Home
from stack.options import StackOptions
from stack.ports import NAMES, choose_ports


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


def test_ports_differ_and_stay(home: Home) -> None:
    first = choose_ports(home, StackOptions())

    assert set(first) == set(NAMES)
    assert len(set(first.values())) == len(NAMES)
    assert choose_ports(home, StackOptions()) == first


def test_a_port_that_was_taken_meanwhile_is_given_up(home: Home) -> None:
    first = choose_ports(home, StackOptions())
    with socket.create_server(("127.0.0.1", first["kafka_port"])):
        second = choose_ports(home, StackOptions())

    assert second["kafka_port"] != first["kafka_port"]
    assert second["postgres_port"] == first["postgres_port"]


def test_a_port_that_was_asked_for_is_not_replaced(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = StackOptions(kafka_port=taken.getsockname()[1])
        with pytest.raises(Stop, match="INTERACTIONS_KAFKA_PORT"):
            choose_ports(home, options)
