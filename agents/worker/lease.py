"""One thread a process looks after its leases, emergency stops and the worker's presence."""

import logging
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseAway
from django.db import connection

from agents.services.capacity import update_project_share
from agents.services.claims import Claim, hand_back_claims
from agents.stops.pubsub import StopHintListener
from agents.stops.queries import active_stops, is_stopped
from agents.stops.services import acknowledge_stops
from agents.worker.cancellation import (
    Cancellation,
    LeaseLost,
    StopRequested,
    TimeLimitReached,
    WorkCancelled,
    WorkerStopping,
    as_current,
)
from agents.worker.registry import REPORT_SECONDS, report_process
from audit.request_context import origin
from core import heartbeat
from core.database import use_connection_outside_pool
from core.failpoints import failpoint

logger = logging.getLogger(__name__)

# A row that another transaction has locked is left for the next look: waiting for it would let the
# other leases run out. The order keeps two keepers from waiting for each other.
RENEW = """
    WITH held AS (
        SELECT tasks.id, tasks.fence FROM tasks
        JOIN unnest(%s::uuid[], %s::int[]) AS lease(id, fence)
          ON tasks.id = lease.id AND tasks.fence = lease.fence
        WHERE tasks.status = 'working'
        ORDER BY tasks.id FOR NO KEY UPDATE OF tasks SKIP LOCKED
    )
    UPDATE tasks SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)
    FROM held WHERE tasks.id = held.id
    RETURNING held.id, held.fence
"""
LOST = """
    SELECT lease.id, lease.fence FROM unnest(%s::uuid[], %s::int[]) AS lease(id, fence)
    WHERE NOT EXISTS (
        SELECT 1 FROM tasks
        WHERE tasks.id = lease.id AND tasks.fence = lease.fence AND tasks.status = 'working')
"""

# All calls that an emergency stop covers have ended by then, if they can be ended.
STOP_SECONDS = 2.0
# How old the shares of the projects may be.
SHARE_SECONDS = 1.0
# Of how many cancelled tasks a line of the log names the ids.
LOGGED_TASKS = 20

# A task and the fence of the claim on it.
TaskFence = tuple[UUID, int]


def renew_leases(leases: Collection[TaskFence]) -> set[TaskFence]:
    """Extend these leases, except lost and locked ones; those that were extended."""
    ids, fences = [task_id for task_id, _ in leases], [fence for _, fence in leases]
    with connection.cursor() as cursor:
        cursor.execute(RENEW, [ids, fences, settings.TASK_LEASE_SECONDS])
        return set(cursor.fetchall())


def lost_leases(leases: Collection[TaskFence]) -> set[TaskFence]:
    """Those whose task was cancelled, taken over or finished. Waits for no lock."""
    ids, fences = [task_id for task_id, _ in leases], [fence for _, fence in leases]
    with connection.cursor() as cursor:
        cursor.execute(LOST, [ids, fences])
        return set(cursor.fetchall())


def check_claim(claim: Claim) -> None:
    """Asks the database. Raises StopRequested, or LeaseLost where the claim is no longer ours."""
    stopped = is_stopped(claim.task, claim.fence)
    if stopped is None:
        raise LeaseLost
    if stopped:
        raise StopRequested


class LeaseKeeper:
    """One a process, which claims tasks as `worker`, and works on `concurrency` of them at once.

    Each look is complete by itself and is repeated every STOP_POLL_SECONDS, so that a failed one
    costs only time. A hint in Redis, or the end of cancelled work, makes it look at once.
    """

    def __init__(self, worker: str, concurrency: int = 1) -> None:
        self.worker = worker
        self.concurrency = concurrency
        # The work of this process, each with the time at which its lease is to be renewed.
        self._renew_at: dict[Cancellation, float] = {}
        self._lock = threading.Lock()
        # Notified when no cancelled work is left.
        self._has_ended = threading.Condition(self._lock)
        # Claims of work that an emergency stop has ended, to be handed back.
        self._stopped: list[Claim] = []
        self._is_stopping = False
        self._report_at = self._share_at = 0.0
        self._look_now = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
        self.stop_hints = StopHintListener(self._look_now.set)

    def start(self) -> "LeaseKeeper":
        self._thread.start()
        self.stop_hints.start()
        return self

    def end(self) -> None:
        """For tests: in the product a keeper ends with its process."""
        self._ended.set()
        self.stop_hints.end()
        self._look_now.set()
        self._thread.join()

    def add(self, cancellation: Cancellation) -> None:
        with self._lock:
            self._renew_at[cancellation] = time.monotonic() + settings.TASK_HEARTBEAT_SECONDS
            is_stopping = self._is_stopping
        if is_stopping:
            cancellation.request(WorkerStopping)

    def remove(self, cancellation: Cancellation) -> None:
        with self._lock:
            del self._renew_at[cancellation]
            has_ended = cancellation.is_requested and not self._is_cancelling()
            if has_ended:
                self._has_ended.notify_all()
        if has_ended:
            # The stop that the work was cancelled for can be acknowledged now.
            self._look_now.set()

    def _is_cancelling(self) -> bool:
        return any(cancellation.is_requested for cancellation in self._renew_at)

    def hand_back_stopped(self, claim: Claim) -> None:
        """Wait until all that an emergency stop cancels has ended; then one hands it all back.

        What follows from a stop would take processor time from what still has to end.
        """
        with self._has_ended:
            self._stopped.append(claim)
            self._has_ended.wait_for(lambda: not self._is_cancelling(), STOP_SECONDS)
            claims, self._stopped = self._stopped, []
        if claims:
            hand_back_claims(claims, cause="emergency_stop")

    def cancel_everything(self) -> None:
        """The worker stops: what runs ends now, and what is added ends at once."""
        with self._lock:
            self._is_stopping = True
            work = list(self._renew_at)
        for cancellation in work:
            cancellation.request(WorkerStopping)

    def _run(self) -> None:
        # Leases are renewed even when the jobs have used up the pool.
        use_connection_outside_pool()
        heartbeat.begin("lease-keeper")
        with origin(channel="worker"):
            while not self._ended.is_set():
                heartbeat.beat()
                self._look_now.clear()
                try:
                    self.look()
                except DatabaseAway as error:
                    # A lease has room for several tries; after that the fence protects.
                    logger.warning("lease keeper has no database", extra={"error": repr(error)})
                    connection.close()
                except Exception:
                    # Without its keeper a worker loses its leases and cannot be stopped.
                    logger.exception("lease keeper failed")
                    connection.close()
                pause = min(settings.STOP_POLL_SECONDS, settings.TASK_HEARTBEAT_SECONDS)
                self._look_now.wait(pause)
        connection.close()

    def look(self) -> None:
        """Report the worker, cancel what may not go on, renew leases, acknowledge stops."""
        if time.monotonic() >= self._report_at:
            report_process(self.worker, self.concurrency)
            self._report_at = time.monotonic() + REPORT_SECONDS
        if time.monotonic() >= self._share_at:
            update_project_share()
            self._share_at = time.monotonic() + SHARE_SECONDS
        stops = active_stops(self.worker)
        # Read after the stops: work that is not among it yet asks for them before its first call.
        with self._lock:
            work = dict(self._renew_at)
        stopped = [c for c in work if any(stop.covers(c.claim.task) for stop in stops)]
        self._cancel(stopped, StopRequested)
        # A request does nothing where the work is cancelled for another reason already.
        lost = lost_leases([c.lease for c in work]) if work else set()
        self._cancel([c for c in work if c.lease in lost], LeaseLost)
        limit = settings.CELERY_TASK_SOFT_TIME_LIMIT
        self._cancel([c for c in work if c.age > limit], TimeLimitReached)
        # Leases older than a heartbeat; one that is not renewed now comes again at each look. Code
        # that hangs in spite of its cancellation loses its lease, as a process that was killed.
        now = time.monotonic()
        aging = {
            c.lease: c
            for c, renew_at in work.items()
            if renew_at <= now and c.age < settings.CELERY_TASK_TIME_LIMIT
        }
        if aging:
            failpoint("in_heartbeat")
            renewed = renew_leases(aging.keys())
            with self._lock:
                for lease in renewed:
                    if aging[lease] in self._renew_at:
                        self._renew_at[aging[lease]] = now + settings.TASK_HEARTBEAT_SECONDS
        # Stops under which nothing runs here any more.
        obeyed = [
            stop.id
            for stop in stops
            if stop.is_acknowledgement_due and not any(stop.covers(c.claim.task) for c in work)
        ]
        if obeyed:
            acknowledge_stops(self.worker, obeyed)

    def _cancel(self, work: Collection[Cancellation], reason: type[WorkCancelled]) -> None:
        new = [str(c.claim.task.pk) for c in work if not c.is_requested]
        for cancellation in work:
            cancellation.request(reason)
        if new:
            extra = {"reason": reason.__name__, "count": len(new), "tasks": new[:LOGGED_TASKS]}
            logger.warning("work cancelled", extra=extra)


_keeper: LeaseKeeper | None = None


def start_lease_keeper(worker: str, concurrency: int = 1) -> LeaseKeeper:
    """In a process that works on tasks, after the fork."""
    global _keeper
    _keeper = LeaseKeeper(worker, concurrency).start()
    return _keeper


def cancel_all_work() -> None:
    """Of this process, which stops: what runs ends now, and what begins ends at once."""
    if _keeper is not None:
        _keeper.cancel_everything()


def hand_back_stopped(claim: Claim) -> None:
    """Put the task of work that an emergency stop has ended back into the queue."""
    if _keeper is not None:
        _keeper.hand_back_stopped(claim)
    else:
        hand_back_claims([claim], cause="emergency_stop")


def end_lease_keeper() -> None:
    """For tests."""
    global _keeper
    if _keeper is not None:
        _keeper.end()
    _keeper = None


@contextmanager
def hold_lease(claim: Claim) -> Iterator[Cancellation]:
    """The keeper renews the lease while the work runs, and cancels work that may not go on.

    Raises StopRequested or LeaseLost, from within the work. Without a keeper in this process
    nobody renews, and only the checks of the work itself raise.
    """
    cancellation, keeper = Cancellation(claim, check_claim), _keeper
    if keeper is not None:
        keeper.add(cancellation)
    try:
        with as_current(cancellation):
            yield cancellation
    finally:
        if keeper is not None:
            keeper.remove(cancellation)
