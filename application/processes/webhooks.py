"""What webhooks can tell of: events of other contexts, by the names they are stored under.

A context that has something to tell adds its event's class here; nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.billing.events import InvoiceIssued, InvoicePaid, InvoicePaymentFailed
from domain.kernel.events import Envelope, Event
from domain.kernel.personal import personal_fields
from domain.usage.events import HardCapReached, SoftCapReached

OFFERED: Mapping[str, type[Event]] = {
    cls.TYPE: cls
    for cls in (SoftCapReached, HardCapReached, InvoiceIssued, InvoicePaid, InvoicePaymentFailed)
}


def body_of(envelope: Envelope[Any]) -> bytes:
    """Return the JSON that is sent: `{type, timestamp, data}`; personal fields stay in the log."""
    event: Event = envelope.event
    personal = personal_fields(event.__class__)
    data = {name: getattr(event, name) for name in event.__struct_fields__ if name not in personal}
    return msgspec.json.encode(
        {
            "type": envelope.type,
            "timestamp": envelope.recorded_at,
            "data": {"tenant": envelope.tenant, "position": envelope.position, **data},
        }
    )
