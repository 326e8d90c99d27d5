"""Says what went wrong with an embedded service and what the operator can do about it.

EmbeddedServiceError
|-- PrivatePathError          a directory that must be private belongs to somebody else or cannot be made
|-- ServiceStartError         the server did not start; the message ends with the last lines of its log
`-- ServiceStillStarting      not ready by the deadline, but alive and worth waiting for
"""


class EmbeddedServiceError(Exception):
    """Root of everything the embedded services raise."""


class PrivatePathError(EmbeddedServiceError):
    """A path that must be private is not, and cannot be made so."""


class ServiceStartError(EmbeddedServiceError):
    """A server ended instead of starting, or could not be launched."""


class ServiceStillStarting(EmbeddedServiceError):
    """A server is alive but not ready yet; `seconds` says for how long it has been starting."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds
