"""Model policies: setting one, reading it at any version or time, and its history."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody, QueryParameter

from application.orchestration.answers import PolicyAnswer
from application.orchestration.commands import SetModelPolicy
from domain.kernel.errors import Forbidden, InvalidInput, NotFound
from domain.kernel.names import DEFAULT_WORKSPACE, WORKSPACE_ID
from domain.orchestration.policy import ActivePolicy, OnBudgetExhausted, PiiPolicy, Rule, Strategy
from interfaces.http.pages import Page, cursor_of, place_of
from interfaces.http.parameters import Cursor, Instant, Limit, instant
from interfaces.http.request import ApiRequest
from interfaces.http.routing import OPERATORS, READERS, create, read
from interfaces.http.writes import written
from projections.orchestration import queries

Workspace = Annotated[
    str, QueryParameter(name="workspace_id", pattern=WORKSPACE_ID, description="Whose policy is meant.")
]
Version = Annotated[
    int | None, QueryParameter(name="version", ge=1, le=2**31 - 1, description="This version.")
]
At = Annotated[
    Instant | None, QueryParameter(name="at", max_length=40, description="The version in force at this time.")
]
Json = None | bool | int | float | str | list[Any] | dict[str, Any]


class PolicyWritten(PolicyAnswer, frozen=True, kw_only=True):
    """The policy as it is now; `warnings` tell what in it cannot work yet."""

    position: int


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a workspace's policy."""

    workspace_id: str
    version: int
    set_by: str
    set_at: datetime
    rules: tuple[Rule, ...]
    fallback_strategy: Strategy
    auto_fallback_enabled: bool
    record_content: bool
    on_budget_exhausted: OnBudgetExhausted
    pii: PiiPolicy | None

    @classmethod
    def of(cls, active: ActivePolicy) -> PolicyView:
        """Return a version with its content beside its number."""
        content = {name: getattr(active.policy, name) for name in active.policy.__struct_fields__}
        return cls(
            workspace_id=active.workspace_id,
            version=active.version,
            set_by=active.set_by,
            set_at=active.set_at,
            **content,
        )


class PolicyChange(msgspec.Struct, frozen=True):
    """One changed value at a JSON pointer; null where nothing stood or stands."""

    path: str
    old: Json
    new: Json


class PolicyStep(msgspec.Struct, frozen=True, kw_only=True):
    """One version, and what it changed."""

    version: int
    set_by: str
    set_at: datetime
    diff: list[PolicyChange]


@create(
    "/model-policy/set",
    roles=OPERATORS,
    status_code=200,
    summary="Set a workspace's model policy",
    operation_id="setModelPolicy",
)
async def set_policy(request: ApiRequest, data: JSONBody[SetModelPolicy]) -> Response[PolicyWritten]:
    """Set the policy as a whole; it governs the next request on every process."""
    return written(PolicyWritten, await request.dispatch(data))


@read(
    "/model-policy",
    roles=READERS,
    fails=(404,),
    summary="Read a workspace's model policy",
    operation_id="getModelPolicy",
)
async def get_policy(
    request: ApiRequest,
    workspace: Workspace = DEFAULT_WORKSPACE,
    version: Version = None,
    at: At = None,
) -> PolicyView:
    """Return the newest version, a given one, or the one in force at a time; 404 when there is none."""
    if version is not None and at is not None:
        raise InvalidInput.at("/at", "give either `version` or `at`, not both")
    _check_workspace(request, workspace)
    async with request.reading() as conn:
        found = await queries.get_model_policy(conn, workspace, version=version, at=instant("at", at))
    if found is None:
        raise NotFound(
            f"workspace '{workspace}' has no such policy; POST /api/ai-advanced/model-policy/set sets one"
        )
    return PolicyView.of(found)


@read(
    "/model-policy/history",
    roles=READERS,
    summary="List the versions of a workspace's model policy",
    operation_id="getModelPolicyHistory",
)
async def get_history(
    request: ApiRequest,
    workspace: Workspace = DEFAULT_WORKSPACE,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PolicyStep]:
    """List versions, newest first: who set them, when, and what they changed."""
    _check_workspace(request, workspace)
    before = int(place_of(cursor, "policy-history", int)[0]) if cursor else None
    async with request.reading() as conn:
        found = await queries.model_policy_history(conn, workspace, limit=limit + 1, before=before)
    steps = msgspec.convert(found, list[PolicyStep], from_attributes=True)
    return Page.of(steps, limit, lambda last: cursor_of("policy-history", last.version))


def _check_workspace(request: ApiRequest, workspace: str) -> None:
    own = request.caller.workspace
    if own is not None and own != workspace:
        raise Forbidden(f"this key is bound to workspace '{own}' and cannot read '{workspace}'")


router = Router("/", route_handlers=[set_policy, get_policy, get_history], tags=["orchestration"])
