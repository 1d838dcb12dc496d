"""Generate a realistic week of several hundred customers' interactions and signals, as JSON Lines.

The output is deterministic for a seed, a size and an end of the week:

    python -m examples.generate_week --customers 300 --seed 7 > week.jsonl
    interactions publish week.jsonl --allow-rejected

About 2 % of the commands are invalid on purpose, at least one of every kind in ``examples.week.mistakes``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Any

from examples.week.customer import Customer
from examples.week.dictionaries import dictionary_samples, scopes
from examples.week.mistakes import make_mistakes, unknown_type_in_strict_dictionary
from examples.week.sample import Sample, new_id

_FIRST_TENANT_SHARE = 0.6
_PERSON_SHARE = 0.2


def week_samples(seed: int, customers: int, now: datetime) -> Iterator[Sample]:
    """Yield all customers' commands in the order they were made, each with its expected outcome.

    :param customers: number of customers; at least 20, so that every kind of mistake fits in.
    :param now: end of the week; timezone-aware.
    :raises ValueError: ``now`` has no offset, or ``customers`` is below 20.
    """
    if now.tzinfo is None:
        raise ValueError("now must have an offset")
    if customers < 20:
        raise ValueError("a week needs at least 20 customers")
    rng = random.Random(f"week/{seed}")
    now = now.astimezone(UTC)
    owners = {scope: [new_id(rng) for _ in range(8)] for scope in scopes(seed)}
    first, second = scopes(seed)
    everyone = []
    for number in range(customers):
        scope = first if number < customers * _FIRST_TENANT_SHARE else second
        person = number == 0 or rng.random() < _PERSON_SHARE
        customer = Customer(random.Random(rng.getrandbits(64)), scope, now, owners[scope], person)
        customer.generate_week()
        everyone.append(customer)
    everyone[0].promise()
    make_mistakes(rng, everyone, sum(len(customer.samples) for customer in everyone))
    unknown_type_in_strict_dictionary(everyone[-1])
    yield from merge(*(customer.samples for customer in everyone), key=lambda sample: sample.made_at)


def generate(seed: int, customers: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield every command as a structured CloudEvent: both dictionaries first, then the week."""
    for sample in dictionary_samples(seed, now):
        yield sample.event
    for sample in week_samples(seed, customers, now):
        yield sample.event


def main(arguments: list[str] | None = None) -> int:
    """Write the week to standard output; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.generate_week",
        description="Generate a realistic week of commands, as JSON Lines.",
    )
    parser.add_argument(
        "--customers", type=int, default=300, help="number of customers, at least 20 (default 300)"
    )
    parser.add_argument("--seed", type=int, default=7, help="random seed (default 7)")
    parser.add_argument(
        "--now",
        type=datetime.fromisoformat,
        help="end of the week, with an offset (default: now, to the minute)",
    )
    given = parser.parse_args(arguments)
    now = given.now or datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    try:
        for event in generate(given.seed, given.customers, now):
            sys.stdout.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except ValueError as error:
        parser.error(str(error))
    except BrokenPipeError:
        # The reader closed the pipe; the interpreter must not flush it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
