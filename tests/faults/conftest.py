"""The running product for the fault tests that need it."""

from tests.integration.gateway.live import live, tenant

__all__ = ["live", "tenant"]
