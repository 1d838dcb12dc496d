"""What an integration may do, chosen by people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.values import InteractionType, UuidText


class Policy(BaseModel):
    """The policy of one integration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    create_if_unmapped: bool = Field(
        default=False, description="Make an interaction of each object that appears at the provider."
    )
    entity_id: UuidText | None = Field(
        default=None, description="The customer who gets those interactions; needed with create_if_unmapped."
    )
    interaction_type: InteractionType = Field(default="task", description="The type those interactions get.")
    on_remote_delete: Literal["cancel", "keep"] = Field(
        default="cancel",
        description="When an object is deleted for good: cancel its planned interaction, or leave it.",
    )
    only_types: tuple[InteractionType, ...] = Field(
        default=(), description="Mirror interactions of these types only; empty: all."
    )
    most_deletions: Annotated[int, Field(ge=0)] = Field(
        default=10, description="More deletions than this within six hours…"
    )
    most_deleted_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="…that are also more than this share of all mirrors stop the integration."
    )

    @model_validator(mode="after")
    def _customer_given(self) -> Policy:
        if self.create_if_unmapped and self.entity_id is None:
            raise ValueError("create_if_unmapped needs entity_id, the customer who gets the interactions")
        return self
