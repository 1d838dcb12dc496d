"""Problem objects of rejected results, decoded through the schema registry."""

from __future__ import annotations

from typing import Any

from cli.publish.command_publisher import ReadProblem
from cli.publish.result_reader import ResultRecord
from cli.topics.record_view import make_decoder
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import InteractionsError


def problem_reader(settings: Settings) -> ReadProblem:
    """Make a function that reads the problem of a result.

    The registry is contacted at the first rejection only; without it a rejection has no details.
    """
    decoders: list[AvroDecoder] = []

    def read(record: ResultRecord) -> dict[str, Any] | None:
        try:
            if not decoders:
                decoders.append(make_decoder(settings))
            _, result = decoders[0].decode(record.value)
        except InteractionsError as error:
            return {"code": "unreadable", "detail": f"the reason cannot be decoded: {error}"}
        problem = result.get("problem")
        return problem if isinstance(problem, dict) else None

    return read
