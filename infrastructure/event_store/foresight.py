"""What this process may take the log to be after its own last batch, so that the next need not look first.

Whoever wrote last knows the head and the streams that it moved. A batch judged on that is written in one
round trip; its statements check that all of it was true (the head's position, each stream's version, no
command id stored before) and fail otherwise. Then the batch is judged again on what the database says.
"""

from __future__ import annotations

from infrastructure.event_store.batch import Batch, Known
from infrastructure.event_store.prepared import PreparedCommand

REMEMBERED = 100_000
LONGEST_CAUTION = 64


class Foresight:
    """The head and versions that this process expects; after a wrong guess it looks first for a while.

    `disproved` counts the wrong guesses; a process that writes alone makes none.
    """

    def __init__(self) -> None:
        self._head: tuple[int, bytes, int] | None = None
        self._versions: dict[str, int] = {}
        self._caution = 0
        self._penalty = 1
        self.disproved = 0

    def expected(self, batch: list[PreparedCommand]) -> Known | None:
        """Return what the batch will probably find; None when the database has to be asked."""
        if self._caution:
            self._caution -= 1
            return None
        if self._head is None or any(command.request.claims for command in batch):
            return None
        versions: dict[str, int] = {}
        for command in batch:
            for event in command.events:
                if event.stream_id not in versions:
                    remembered = self._versions.get(event.stream_id)
                    versions[event.stream_id] = (
                        remembered if remembered is not None else event.expected_version or 0
                    )
        return Known(*self._head, {}, versions, {})

    def sent(self, batch: Batch) -> None:
        """Expect what a batch on its way to the database will leave."""
        self._head = batch.position, batch.chain, batch.key_epoch
        if len(self._versions) > REMEMBERED:
            self._versions.clear()
        self._versions.update(batch.new_versions)

    def came_true(self) -> None:
        """Be bolder again."""
        self._penalty = 1

    def failed(self) -> None:
        """Forget everything: what was sent last is not what the log holds."""
        self._head = None
        self._versions.clear()

    def was_wrong(self) -> None:
        """Look first for a growing number of batches: another process writes, too."""
        self.failed()
        self.disproved += 1
        self._caution = self._penalty
        self._penalty = min(self._penalty * 2, LONGEST_CAUTION)
