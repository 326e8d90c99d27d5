"""A tenant's contract price of one model: its versions, and what may be set."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.kernel.aggregate import Aggregate
from domain.kernel.errors import FieldError, InvalidInput, NotFound
from domain.kernel.events import Event
from domain.usage.price_events import ContractPriceEnded, ContractPriceSet
from domain.usage.pricing import UnitPrices

LONGEST_NAME = 256
LONGEST_REASON = 500


class ContractPrice(Aggregate):
    """The consistency boundary of one model's contract; nothing that was priced before is priced anew."""

    KIND: ClassVar[str] = "contract-price"

    number: int
    current: ContractPriceSet | None

    def initialise(self) -> None:
        """Start without a contract."""
        self.number = 0
        self.current = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case ContractPriceSet():
                self.number, self.current = event.number, event
            case ContractPriceEnded():
                self.number, self.current = event.number, None

    def set(
        self,
        provider: str,
        model: str,
        prices: UnitPrices,
        at: datetime,
        *,
        effective_from: datetime | None,
        reason: str,
    ) -> ContractPriceSet:
        """Set the price from now on, or from a later time. Raises InvalidInput for an earlier one."""
        check_names(provider, model)
        if effective_from is not None and effective_from < at:
            raise InvalidInput.at(
                "/effective_from", "history is never re-priced: give a time to come, or leave it off for now"
            )
        number = self.number + 1
        event = ContractPriceSet(
            provider=provider,
            model=model,
            number=number,
            set_at=at,
            effective_from=effective_from or at,
            prices=prices_version(prices, number),
            reason=reason,
        )
        self.record(event, at)
        return event

    def end(self, provider: str, model: str, at: datetime, reason: str) -> None:
        """End the contract now, one that has yet to begin too. Raises NotFound when there is none."""
        if self.current is None:
            raise NotFound(f"there is no contract price for '{provider}/{model}'")
        self.record(
            ContractPriceEnded(
                provider=provider, model=model, number=self.number + 1, ended_at=at, reason=reason
            ),
            at,
        )


def prices_version(prices: UnitPrices, number: int) -> UnitPrices:
    """Return prices under the version that a contract's number makes."""
    return msgspec.structs.replace(prices, version=f"contract@{number}")


def check_names(provider: str, model: str) -> None:
    """Raise InvalidInput unless both can name what is priced."""
    errors = [
        FieldError(f"/{name}", f"use 1 to {LONGEST_NAME} printable characters")
        for name, value in (("provider", provider), ("model", model))
        if not 0 < len(value) <= LONGEST_NAME or not value.isprintable() or not value.strip()
    ]
    if "/" in provider:
        errors.append(
            FieldError("/provider", "a provider's name holds no '/'; the model is a field of its own")
        )
    if errors:
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].detail}", errors)
