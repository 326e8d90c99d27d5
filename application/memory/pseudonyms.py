"""Keeps the originals of pseudonyms: sealed under their owner's data key, in events of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from application.memory.pii import PseudonymOwner
from application.ports import NewEvent
from domain.kernel.aggregate import stream_id
from domain.memory.pii.detector import DETECTOR_VERSION
from domain.memory.pseudonym_events import PseudonymsSealed


def sealing(
    owner: PseudonymOwner, source: str, pseudonyms: Mapping[str, str], at: datetime
) -> tuple[NewEvent, ...]:
    """Return the event to append together with the text that holds the tokens; none for no pseudonyms.

    `source` names that text, as `request/ID`.
    """
    if not pseudonyms:
        return ()
    event = PseudonymsSealed(
        source=source,
        subject_id=owner.subject,
        category=owner.category,
        sealed_at=at,
        detector_version=DETECTOR_VERSION,
        tokens=tuple(pseudonyms),
        originals=tuple(pseudonyms.values()),
    )
    return (NewEvent(stream_id(owner.tenant, "pseudonyms", f"{at:%Y-%m}"), event),)
