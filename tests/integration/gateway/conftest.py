"""The running product for these tests."""

from tests.integration.gateway.live import live, tenant

__all__ = ["live", "tenant"]
