"""Whether a provider takes our credential, as a tenant's requests met it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.kernel.aggregate import Aggregate
from domain.kernel.events import Event
from domain.kernel.request_record import Attempt
from domain.orchestration.credential_events import ProviderCredentialAccepted, ProviderCredentialRefused
from domain.orchestration.failures import STATUS_KIND, classify


def refuses_credential(attempt: Attempt) -> bool:
    """Tell whether an attempt met the refusal of our own credential: 401, 402 or 403."""
    if attempt.outcome != STATUS_KIND or attempt.status is None:
        return False
    return classify(attempt.outcome, attempt.status).credential_refused


class ProviderCredential(Aggregate):
    """The recorded state of one provider's credential; its entity id is the provider's name."""

    KIND: ClassVar[str] = "provider-credential"

    def initialise(self) -> None:
        """Start without a complaint."""
        self.refused: str | None = None

    def apply(self, event: Event) -> None:
        """Fold one event."""
        match event:
            case ProviderCredentialRefused():
                self.refused = event.credential
            case ProviderCredentialAccepted():
                self.refused = None
            case _:
                pass

    def judge(self, attempt: Attempt, at: datetime) -> bool:
        """Record what an attempt says of its credential when that is new, and tell whether it was."""
        refused = refuses_credential(attempt)
        if refused == (self.refused == attempt.credential):
            return False
        place = {"provider": attempt.provider, "credential": attempt.credential, "model": attempt.model}
        if refused:
            self.record(ProviderCredentialRefused(**place, status=attempt.status or 0, refused_at=at), at)
        else:
            self.record(ProviderCredentialAccepted(**place, accepted_at=at), at)
        return True
