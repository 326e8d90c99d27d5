"""The running product, and a bench for background work, for the fault tests that need them."""

from tests.infrastructure.jobs.conftest import bench, redis_url
from tests.integration.gateway.live import live, tenant

__all__ = ["bench", "live", "redis_url", "tenant"]
