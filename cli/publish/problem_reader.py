"""The Avro values of results and events, for people: decoded through the schema registry."""

from __future__ import annotations

from typing import Any

from cli.publish.command_publisher import ReadProblem
from cli.publish.result_reader import Seen
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import InteractionsError


def make_decoder(settings: Settings) -> AvroDecoder:
    """Decodes any value that the registry knows; instants stay RFC 3339 text.

    :raises Stop: no registry URL is set.
    """
    from runtime.registry_fetch import make_fetch

    return AvroDecoder(make_fetch(settings), text_instants=True)


def problem_reader(settings: Settings) -> ReadProblem:
    """Reads the problem out of a result; without the registry there is only the outcome's name.

    The registry is asked at the first rejection only: most publishers never see one.
    """
    decoders: list[AvroDecoder] = []

    def read(seen: Seen) -> dict[str, Any] | None:
        try:
            if not decoders:
                decoders.append(make_decoder(settings))
            _, result = decoders[0].decode(seen.value)
        except InteractionsError as error:
            return {"code": "unreadable", "detail": f"the reason cannot be shown: {error}"}
        problem = result.get("problem")
        return problem if isinstance(problem, dict) else None

    return read
