"""Writer that uses a language model, over the chat-completions API of OpenAI, vLLM, Ollama and others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from streams.bounded_exchange import BoundedExchange
from streams.drafts.writers.chat.completions import Completions
from streams.drafts.writers.chat.daily_budget import Budget, DailyBudget
from streams.drafts.writers.chat.failures import failure
from streams.drafts.writers.cleaning.customer_text import one_line
from streams.drafts.writers.interface import (
    DraftRequest,
    FailureCode,
    Writer,
    WriterDeclaration,
    WrittenDraft,
)
from streams.drafts.writers.plain_text import UnusableAnswerError, answer_schema, check_answer
from streams.drafts.writers.prompt import Prompt, build_prompt
from streams.drafts.writers.settings import DraftsSettings, read_drafts_settings

#: Maximum size of a response in bytes. A draft needs a few thousand; the rest is for a model's reasoning.
MAX_RESPONSE_BYTES: Final = 1024 * 1024

Parameter = Literal[
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "reasoning_effort", "service_tier"
]


class OpenAiCompatibleSettings(DraftsSettings):
    """Settings of this writer."""

    base_url: str = Field(description="Address of the service, for example https://api.openai.com.")
    model: str = Field(min_length=1, description="Name of the model.")
    api_key: SecretStr | None = Field(default=None, description="API key, sent as a bearer token.")
    exchange_seconds: float = Field(
        default=30.0, gt=0, le=300, description="Timeout for one request to the service, response included."
    )
    deadline_seconds: float = Field(
        default=60.0, gt=0, le=600, description="Timeout for one draft, with all retries."
    )
    requests_per_tenant_and_day: int = Field(
        default=500, ge=1, description="Maximum requests per tenant and UTC day, per process."
    )
    # Hazard: services disagree about the name of the limit of tokens, and refuse the other name.
    parameters: dict[Parameter, str | int | float] = Field(
        default_factory=dict, description='Parameters of the model as JSON: {"max_tokens": 2000}.'
    )

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http or https URL")
        if parts.port == 0:  # reading a port above 65535 raises
            raise ValueError("must not name port 0")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must have no credentials, query or fragment")
        return url.rstrip("/").removesuffix("/v1").rstrip("/")


class OpenAiCompatibleWriter:
    """Writes drafts with a language model. If it fails, there is no draft: it never uses a template.

    :param budget: counts requests in memory by default.
    :param wait: waits between retries; true if the process is stopping.
    """

    name: Final = "openai_compatible"

    def __init__(
        self,
        settings: OpenAiCompatibleSettings,
        budget: Budget | None = None,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if settings.api_key is not None:
            headers["Authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        self._settings = settings
        self._completions = Completions(
            BoundedExchange(f"{settings.base_url}/v1/chat/completions", headers, MAX_RESPONSE_BYTES),
            budget if budget is not None else DailyBudget(settings.requests_per_tenant_and_day),
            settings.exchange_seconds,
            wait,
        )

    def write(self, request: DraftRequest) -> WrittenDraft:
        """Write one draft; an unusable answer is requested once more, with the reason.

        :raises WritingFailedError: there is no draft.
        """
        end = time.monotonic() + self._settings.deadline_seconds
        prompt = build_prompt(request)
        scope = {
            "tenant_id": request.tenant_id,
            "organization_id": request.organization_id,
            "signal_id": request.signal_id,
        }
        problem, truncated = "", False
        for _ in range(2):
            completion = self._completions.complete(self._fields(prompt, request, problem), scope, end)
            content, truncated = completion.content(), completion.truncated()
            try:
                subject, body = check_answer(content, request, prompt)
            except UnusableAnswerError as unusable:
                problem = "it was cut off" if truncated else unusable.problem
            else:
                return WrittenDraft(
                    subject=subject,
                    body=body,
                    writer=self.name,
                    template_id=None,
                    model=one_line(completion.model, 100) or self._settings.model,
                    prompt_hash=prompt.hash,
                )
        code: FailureCode = "writer_truncated" if truncated else "writer_invalid_answer"
        raise failure(code, f"The model's answer could not be used, twice: {problem.rstrip('.')}.")

    def close(self) -> None:
        """Cancel requests in progress."""
        self._completions.close()

    def _fields(self, prompt: Prompt, request: DraftRequest, problem: str) -> Mapping[str, Any]:
        system = prompt.system
        if problem:
            system += f"\nAn earlier answer could not be used: {problem.rstrip('.')}. Avoid this.\n"
        schema = {"name": "draft", "strict": True, "schema": answer_schema(request.channel)}
        return {
            **{str(name): value for name, value in self._settings.parameters.items()},
            "model": self._settings.model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": prompt.user},
            ],
            "response_format": {"type": "json_schema", "json_schema": schema},
            "stream": False,
        }


def _make() -> Writer:
    return OpenAiCompatibleWriter(read_drafts_settings(OpenAiCompatibleSettings))


DECLARATION: Final = WriterDeclaration(
    name=OpenAiCompatibleWriter.name,
    summary="Lets a language model write the draft, through any service with OpenAI's chat-completions API.",
    make=_make,
)
