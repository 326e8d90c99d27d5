"""What a client may ask of memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from application.bus import Command
from domain.kernel.pii import ScrubMode
from domain.memory import memory_check as limits
from domain.memory.policy import ComplianceMode
from domain.memory.policy_check import CATEGORY, LONGEST_TTL_DAYS

DEFAULT_CATEGORY = "general"
MOST_ITEMS = 100
Category = Annotated[str, Meta(pattern=CATEGORY, description="1 to 63 letters, digits, blanks or ._:-")]
ExternalId = Annotated[str, Meta(min_length=1, max_length=limits.LONGEST_ID)]
Content = Annotated[str, Meta(min_length=1, max_length=limits.LONGEST_CONTENT)]
Days = Annotated[int, Meta(ge=0, le=LONGEST_TTL_DAYS)]
Time = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]
MemoryId = Annotated[str, Meta(min_length=1, max_length=64)]


class MemoryInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to remember. `subject_id`, else `user_id`, is the person whose data it is.

    `occurred_at` (ISO 8601; now when left off) is when it happened and starts the time to live; `ttl_days`
    is the memory's own, the shorter of it and the policy's counts.
    """

    content: Content
    category: Category = DEFAULT_CATEGORY
    subject_id: ExternalId | None = None
    user_id: ExternalId | None = None
    agent_id: ExternalId | None = None
    session_id: ExternalId | None = None
    metadata: Mapping[str, Any] = {}
    occurred_at: Time | None = None
    ttl_days: Days | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.category}, {len(self.content)} characters)"


class AddMemories(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Remember several things at once, all or none (roles admin, operator, service); MemoriesAnswer.

    With `merge_duplicates` one whose words are those of a memory of the same person and category is merged
    into it. `request_id` names the request whose answer they were extracted from, and `pseudonyms` maps those
    that the conversation had to what they stand for.
    """

    WAITS: ClassVar[bool] = False

    items: Annotated[tuple[MemoryInput, ...], Meta(min_length=1, max_length=MOST_ITEMS)]
    merge_duplicates: bool = False
    request_id: str | None = None
    pseudonyms: Mapping[str, str] = {}
    at: str = "/items"

    def __repr__(self) -> str:
        return f"AddMemories({len(self.items)})"


class UpdateMemory(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replace the content, the metadata or the time to live of a memory (roles admin, operator, service).

    What is left off stays; `ttl_days` null removes the memory's own. Answers MemoryAnswer.
    """

    WAITS: ClassVar[bool] = False

    memory_id: MemoryId
    content: Content | UnsetType = UNSET
    metadata: Mapping[str, Any] | UnsetType = UNSET
    ttl_days: Days | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return f"UpdateMemory({self.memory_id})"


class DeleteMemory(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a memory out of every reading (roles admin, operator, service); answers MemoryGone."""

    WAITS: ClassVar[bool] = False

    memory_id: MemoryId


class SetMemoryPolicy(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the rules of a category as a whole, or the tenant's default ones (roles admin, operator).

    What is left off or null is taken from the default, then from the compliance mode. Answers
    MemoryPolicyAnswer with the version and what the rules come to.
    """

    category: Category | None = None
    ttl_days: Days | None = None
    pii_scrubbing: bool | None = None
    pii_entities: Annotated[tuple[str, ...], Meta(max_length=50)] | None = None
    pii_mode: ScrubMode | None = None
    compliance_mode: ComplianceMode | None = None
