"""Replay of a dead letter as a command to publish."""

from __future__ import annotations

from cli.publish.input_lines import InputCommand
from runtime.dead_letters import DeadLetter, replay_record


def replay(
    dead_letter: DeadLetter, *, number: int, replays: int, max_tries: int, commands_topic: str
) -> InputCommand:
    """Build the replay of a dead letter.

    :param number: position in this run, from 1.
    :raises Reject: see :func:`runtime.dead_letters.replay_record`.
    """
    record = replay_record(dead_letter, replays=replays, max_tries=max_tries, commands_topic=commands_topic)
    return InputCommand(number, dead_letter.record.header("ce_id"), record)
