"""Policy of an integration: options chosen by people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.values import InteractionType, UuidText


class Policy(BaseModel):
    """Options of one integration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    create_if_unmapped: bool = Field(
        default=False, description="Create an interaction for each object that appears at the provider."
    )
    entity_id: UuidText | None = Field(
        default=None, description="Customer of those interactions; required with create_if_unmapped."
    )
    interaction_type: InteractionType = Field(default="task", description="Type of those interactions.")
    on_remote_delete: Literal["cancel", "keep"] = Field(
        default="cancel",
        description="When an object is permanently deleted: cancel its planned interaction, or keep it.",
    )
    only_types: tuple[InteractionType, ...] = Field(
        default=(), description="Mirror only interactions of these types; empty: all types."
    )
    most_deletions: Annotated[int, Field(ge=0)] = Field(
        default=10, description="Stop for confirmation after more deletions than this within six hours…"
    )
    most_deleted_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="…if they are also more than this share of all mirrors."
    )

    @model_validator(mode="after")
    def _customer_given(self) -> Policy:
        if self.create_if_unmapped and self.entity_id is None:
            raise ValueError("create_if_unmapped needs entity_id, the customer of the imported interactions")
        return self
