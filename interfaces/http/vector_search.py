"""How vector search is doing: vectors, models, and the index against exact search."""

from __future__ import annotations

from litestar import Router

from interfaces.http.request import ApiRequest
from interfaces.http.routing import USERS, read
from projections.memory.answers import VectorHealth
from projections.memory.queries import vector_health


@read(
    "/analytics/vector-search",
    roles=USERS,
    summary="Vector search in numbers",
    operation_id="getVectorSearchAnalytics",
)
async def get_vector_search(request: ApiRequest) -> VectorHealth:
    """Return how many memories have vectors of which model, and the recall of the index's best ten."""
    await request.services.memory.fresh()
    async with request.reading() as conn:
        return await vector_health(conn)


router = Router("/", route_handlers=[get_vector_search], tags=["analytics"])
