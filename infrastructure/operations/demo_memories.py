"""Memories of the demo tenant: what a support desk and a sales team would keep of their customers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from application.ports import NewEvent
from domain.kernel.aggregate import stream_id
from domain.memory.events import MemoryAdded, MemoryDetails
from domain.memory.memory import memory_stream
from domain.memory.memory_policy import DEFAULT_ENTITY, MemoryPolicy
from domain.memory.policy import MemoryRules
from domain.memory.policy_events import MemoryPolicySet

RULES: dict[str | None, MemoryRules] = {
    None: MemoryRules(ttl_days=730),
    "support": MemoryRules(ttl_days=365, compliance_mode="gdpr"),
    "health": MemoryRules(compliance_mode="hipaa"),
}
TOLD: tuple[tuple[str, str, str], ...] = (
    ("support", "anna.lind", "Prefers to be called back in the afternoon"),
    ("support", "anna.lind", "Uses the mobile app on an older tablet and sees the sync stop overnight"),
    ("support", "anna.lind", "Solved the sync problem by signing in again after the update"),
    ("sales", "anna.lind", "Considers the annual plan if invoices can be in euros"),
    ("support", "bert.okafor", "Writes from [EMAIL] but wants answers in the portal"),
    ("support", "bert.okafor", "The export of last quarter's report failed twice at 90 percent"),
    ("sales", "bert.okafor", "Renewal is due in March; the budget was cut by a tenth"),
    ("sales", "chen.wei", "Evaluates us beside two competitors, decides after the fair in Hanover"),
    ("sales", "chen.wei", "Asked whether data can stay in the European Union"),
    ("support", "chen.wei", "Two-factor sign-in did not accept codes; the clock of the phone was wrong"),
    ("health", "dora.silva", "Reports that screen contrast is hard on the eyes after surgery"),
    ("support", "dora.silva", "Wants large print on paper statements"),
    ("general", "emil.novak", "Runs the team in Brno, eleven people, most of them in shifts"),
    ("general", "emil.novak", "Likes short answers without greetings"),
    ("support", "emil.novak", "The night shift needs the status page by text message"),
    ("sales", "fatima.haddad", "Buys through a reseller in Casablanca; prices must be in dirham"),
    ("general", "fatima.haddad", "Speaks French and Arabic, reads English"),
    ("support", "goran.ilic", "Migrated from the old printer drivers in one weekend"),
    ("support", "goran.ilic", "Paid with [CREDIT_CARD] and was charged twice; refunded the same day"),
    ("general", "hana.sato", "Visits the Kyoto office on the first Monday of each month"),
)


def demo_memories(
    tenant: str, until: datetime, reference: Callable[[str], str]
) -> Iterator[tuple[NewEvent, ...]]:
    """Yield what is to be appended, one command after another: policies, then memories up to a time.

    `reference` gives the pseudonym of a person.
    """
    for category, rules in RULES.items():
        stream = stream_id(tenant, MemoryPolicy.KIND, category or DEFAULT_ENTITY)
        event = MemoryPolicySet(category=category, version=1, set_at=until, rules=rules)
        yield (NewEvent(stream, event, 0),)
    for number, (category, person, content) in enumerate(TOLD):
        memory_id = f"mem_demo{number:02}"
        at = until - timedelta(days=3 * number + 1, hours=number % 7)
        event_added = MemoryAdded(
            memory_id=memory_id,
            subject=reference(person),
            category=category,
            occurred_at=at,
            added_at=at,
            changed_at=at,
            confined=category == "health",
            scrubbed={kind: 1 for kind in ("EMAIL", "CREDIT_CARD") if f"[{kind}]" in content},
            detector=1,
            content=content,
            details=MemoryDetails(
                subject_id=person, agent_id="support-bot" if category == "support" else None
            ),
        )
        yield (NewEvent(memory_stream(tenant, memory_id), event_added),)
