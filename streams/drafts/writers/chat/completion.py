"""Completion: the response of a chat-completions service."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationError

from streams.bounded_exchange import Response
from streams.drafts.writers.chat.failures import failure


class Message(BaseModel):
    """Message of a completion; a member that is not declared, such as ``tool_calls``, is ignored."""

    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    """Choice of a completion."""

    message: Message
    finish_reason: str | None = None


class Completion(BaseModel):
    """Response of the service."""

    choices: list[Choice] = Field(min_length=1)
    model: str | None = None

    def content(self) -> str:
        """Content of the first choice; ``""`` if it is missing or was cut off.

        :raises WritingFailedError: the model refuses.
        """
        choice = self.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise failure("writer_refused", "The model refuses to write this draft.")
        return "" if self.truncated() else choice.message.content or ""

    def truncated(self) -> bool:
        """Report whether the first choice was cut off at a limit of tokens."""
        return self.choices[0].finish_reason == "length"


def read_completion(answer: Response) -> Completion:
    """Read a response that is not a transient failure.

    :raises WritingFailedError: it is not a completion.
    """
    status = answer.status
    if status in {401, 403}:
        raise failure("writer_misconfigured", f"The writing service refuses our API key (HTTP {status}).")
    if 300 <= status < 400:
        raise failure(
            "writer_misconfigured",
            f"The writing service redirects to another address (HTTP {status}), which is not followed.",
        )
    if status >= 400:
        raise failure(
            "writer_misconfigured",
            f"The writing service does not accept our requests (HTTP {status}); "
            "an operator must check the address, the model and the parameters.",
        )
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if status == 200 and kind == "application/json":
        try:
            return Completion.model_validate_json(answer.body)
        except ValidationError:
            pass
    raise failure("writer_invalid_answer", "The writing service sent a response that is not a completion.")
