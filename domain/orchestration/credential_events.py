"""What happens to the credentials that providers are called with; only changes are events."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.events import Event


class ProviderCredentialRefused(Event, frozen=True, kw_only=True):
    """A provider began to refuse our credential: an alert, for no retry mends it.

    `credential` tells credentials apart without saying them; `status` is what was answered to `model`.
    """

    TYPE: ClassVar[str] = "orchestration.provider_credential_refused"

    provider: str
    credential: str
    model: str
    status: int
    refused_at: datetime


class ProviderCredentialAccepted(Event, frozen=True, kw_only=True):
    """A provider takes the credential again that it had refused."""

    TYPE: ClassVar[str] = "orchestration.provider_credential_accepted"

    provider: str
    credential: str
    model: str
    accepted_at: datetime


EVENTS: tuple[type[Event], ...] = (ProviderCredentialRefused, ProviderCredentialAccepted)
