"""The one error tree; transports map its types to their own codes, the domain knows none of them.

AiosError
├── InvalidInput            the caller sent something unusable; `errors` name each field and its cure
├── Unauthenticated         no key, or one that is unknown, expired or revoked
├── Forbidden               the key is good, its roles are not enough
├── NotFound                no such thing for this tenant
├── Gone                    it existed and was erased
├── Conflict                the request cannot be combined with the present state
│   ├── VersionConflict     another writer was first
│   ├── NameTaken           a unique name is in use
│   └── IdempotencyMismatch the same idempotency key came with another body
├── LimitReached            a quota or a budget refuses the request
├── Unavailable             a component that is needed does not answer; `retry_after_s` may tell when
└── Corrupt                 stored data does not decode or does not verify
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One unusable field: where it stands (JSON pointer) and what would be accepted."""

    pointer: str
    detail: str


class AiosError(Exception):
    """Root of every error this product raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(AiosError):
    """Input that can never succeed as it is; names the fields and what would be accepted."""

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)

    @classmethod
    def at(cls, pointer: str, detail: str) -> InvalidInput:
        """Build the error for one field, named by its JSON pointer."""
        return cls(f"{pointer}: {detail}" if pointer else detail, [FieldError(pointer, detail)])


class Unauthenticated(AiosError):
    """The request carries no usable credential."""


class Forbidden(AiosError):
    """The credential is valid but its roles do not allow this."""


class NotFound(AiosError):
    """The thing does not exist for this tenant."""


class Gone(AiosError):
    """The thing existed and was erased; `purge_id` names the erasure when the reader may know it."""

    def __init__(self, message: str, purge_id: str | None = None) -> None:
        super().__init__(message)
        self.purge_id = purge_id


class Conflict(AiosError):
    """The request contradicts the present state."""


class VersionConflict(Conflict):
    """Another writer changed the stream first; load again and decide again."""

    def __init__(self, stream_id: str, expected: int, actual: int) -> None:
        super().__init__(
            f"{stream_id} is at version {actual}, not {expected}: another change came first; try again"
        )
        self.stream_id = stream_id
        self.expected = expected
        self.actual = actual


class NameTaken(Conflict):
    """A name that must be unique is in use."""

    def __init__(self, scope: str, name: str) -> None:
        super().__init__(f"{scope} '{name}' exists already; choose another name")
        self.scope = scope
        self.name = name


class IdempotencyMismatch(Conflict):
    """An idempotency key was used before with a different request."""


class LimitReached(AiosError):
    """A quota or budget refuses the request; trying again at once cannot help."""


class Unavailable(AiosError):
    """A component that the request needs does not answer."""

    def __init__(self, component: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.component = component
        self.retry_after_s = retry_after_s


class Corrupt(AiosError):
    """Stored data does not decode or does not verify."""
