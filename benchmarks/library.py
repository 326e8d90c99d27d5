"""The eventsourcing library's own ordered PostgreSQL recorder, as the comparison of the event store."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment


class LibraryRecorder:
    """`PostgresApplicationRecorder` with its default settings, for one event an insert."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        environment = {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": parts.hostname or parse_qs(parts.query)["host"][0],
            "POSTGRES_PORT": str(parts.port or 5432),
            "POSTGRES_USER": unquote(parts.username or ""),
            "POSTGRES_PASSWORD": unquote(parts.password or ""),
            "POSTGRES_MAX_OVERFLOW": "20",
        }
        self._factory: InfrastructureFactory = InfrastructureFactory.construct(
            Environment("bench", environment)
        )
        self._recorder = self._factory.application_recorder()

    def append(self) -> None:
        """Insert one event of a new stream."""
        self._recorder.insert_events([StoredEvent(uuid4(), 1, "bench:Noted", b"x" * 330)])

    def close(self) -> None:
        """Close the library's connections."""
        self._factory.close()
