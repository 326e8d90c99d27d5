"""What usage needs from the outside world and from other contexts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.usage.correction import Recorded
from domain.usage.pricing import UnitPrices


class PriceBook(Protocol):
    """List prices of public models, without a network; `version` names their edition."""

    @property
    def version(self) -> str: ...

    def find(self, provider: str, base_url: str, model: str, at: datetime) -> UnitPrices | None:
        """Return a model's prices at a time, None when the book does not know the model there."""
        ...


class Contracts(Protocol):
    """The tenants' contract prices in memory, as fresh as the last control event of this process."""

    def find(self, tenant: str, provider: str, model: str, at: datetime) -> UnitPrices | None:
        """Return what a request that starts at a time costs by contract, None without one."""
        ...


class ListedPrices(Protocol):
    """Prices that a tenant gave for a model, in dollars per million tokens."""

    @property
    def input_per_mtok_usd(self) -> Decimal: ...

    @property
    def output_per_mtok_usd(self) -> Decimal: ...

    @property
    def cached_input_per_mtok_usd(self) -> Decimal | None: ...

    @property
    def cache_write_per_mtok_usd(self) -> Decimal | None: ...

    def __hash__(self) -> int: ...


class Seller(Protocol):
    """A provider as far as prices go: where it is, and what the tenant said its models cost."""

    @property
    def name(self) -> str: ...

    @property
    def base_url(self) -> str: ...

    @property
    def revision(self) -> int: ...

    def prices(self, model: str) -> ListedPrices | None: ...


@dataclass(frozen=True)
class UsagePorts:
    """What usage's handlers get beside the unit of work.

    `subject_reference(tenant, user)` is the pseudonym of a person. `find_record(tenant, request_id)` is the
    record of a request that has ended, None when there is none; as new as every one that had ended.
    """

    subject_reference: Callable[[str, str], str]
    find_record: Callable[[str, str], Awaitable[Recorded | None]]
