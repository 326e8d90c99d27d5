"""The running product for these tests."""

from tests.integration.gateway.live import live, tenant
from tests.integration.gateway.pair import pair

__all__ = ["live", "pair", "tenant"]
