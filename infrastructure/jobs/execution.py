"""Does one attempt at a job: alone, once, within its time, on the event loop of the worker process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import Any

from dramatiq.errors import Retry

from domain.kernel.errors import AiosError, Corrupt
from domain.kernel.events import Envelope
from infrastructure.jobs.inbox import Inbox
from infrastructure.jobs.job import Job, JobCall, JobRef, Observer, Outcome, Postponed
from infrastructure.jobs.locks import AdvisoryLocks

EventAt = Callable[[int], Awaitable[Envelope[Any] | None]]
logger = logging.getLogger(__name__)


class Executor:
    """Runs jobs for the threads of a Dramatiq worker; made and used in one event loop."""

    def __init__(self, inbox: Inbox, locks: AdvisoryLocks, event_at: EventAt, observe: Observer) -> None:
        self._inbox = inbox
        self._locks = locks
        self._event_at = event_at
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._running: set[asyncio.Task[Outcome]] = set()

    def perform(self, job: Job, ref: JobRef, failed_before: int) -> None:
        """Do one attempt, called from any thread but the loop's; returns when it ended.

        Raises Dramatiq's Retry when there should be another one, which says no more than the kind of error:
        Dramatiq keeps the traceback in the message.
        """
        work = self._attempt(job, ref, last=failed_before >= job.max_retries)
        problem = None
        try:
            outcome = asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except CancelledError:  # the worker is stopping
            outcome, problem = "retried", Retry("the worker stopped", delay=0)
        except Exception as error:  # noqa: BLE001  # whatever a handler raises means: try again
            outcome, problem = "retried", Retry(type(error).__name__)
        self._observe(ref.job, outcome)
        if problem:
            raise problem

    def cancel_all(self) -> None:
        """Cut off what is running; it will be done anew by another worker. Call it in the event loop."""
        for task in self._running:
            task.cancel()

    async def _attempt(self, job: Job, ref: JobRef, *, last: bool) -> Outcome:
        task = asyncio.create_task(self._locked(job, ref, last), name=f"job-{ref.job}-{ref.position}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await task

    async def _locked(self, job: Job, ref: JobRef, last: bool) -> Outcome:
        async with self._locks.try_hold(f"job:{ref.job}/{ref.position}") as held:
            if not held:  # another worker is at it, and the outbox looks after it
                return "busy"
            return await self._alone(job, ref, last)

    async def _alone(self, job: Job, ref: JobRef, last: bool) -> Outcome:
        if await self._inbox.is_done(ref):
            return "repeated"
        try:
            await self._handle(job, ref, last)
        except Postponed as later:
            await self._inbox.postpone(ref, later.until)
            return "postponed"
        except Exception as error:
            logger.exception("job %s failed%s", ref.job, " for good" if last else ", it will be tried again")
            if not last:
                raise
            await self._inbox.failed(ref, _describe(error))
            return "failed"
        await self._inbox.done(ref)
        return "done"

    async def _handle(self, job: Job, ref: JobRef, last: bool) -> None:
        envelope = await self._event_at(ref.position)
        if envelope is None:
            raise Corrupt(f"job {ref.job} names event {ref.position}, which the log does not have")
        async with asyncio.timeout(job.time_limit_s):
            await job.handler(JobCall(ref=ref, envelope=envelope, last_attempt=last))


def _describe(error: Exception) -> str:
    return error.message if isinstance(error, AiosError) else type(error).__name__
