"""The jobs that run now: how they are stopped from another thread, and the one thread that watches their deadlines."""

import threading
import time
from collections.abc import Callable

from jivsbench.errors import DeadlineError, ExtractionError, JivsbenchError
from jivsbench.extract.foreign import log_foreign_error
from jivsbench.extract.leases import Lease, end_queries
from jivsbench.extract.totals import build_closed_error

_IDLE_SLEEP_S = 60.0

EndWait = Callable[[str, JivsbenchError], None]


class RunningJob:
    """One job under way. Its own threads call `attach`, `check`; any thread may call `stop`."""

    __slots__ = ("_leases", "_lock", "deadline_s", "job_id", "source", "stop_error", "timeout_s")

    def __init__(self, job_id: str, source: str, timeout_s: float) -> None:
        self.job_id = job_id
        self.source = source
        self.timeout_s = timeout_s
        self.deadline_s = time.monotonic() + timeout_s
        self.stop_error: JivsbenchError | None = None
        self._lock = threading.Lock()
        self._leases: list[Lease] = []

    @property
    def remaining_s(self) -> float:
        """Time until the deadline."""
        return max(self.deadline_s - time.monotonic(), 0.0)

    def attach(self, lease: Lease) -> None:
        """From now on `stop` ends this lease's query too. Raises when the job was stopped before."""
        with self._lock:
            self._leases.append(lease)
        self.check()

    def check(self) -> None:
        """Raise when the job was stopped, or its source changed. Called between queries and between batches."""
        if self.stop_error is not None:
            raise self.stop_error
        for lease in self._leases:
            if lease.is_revoked:
                raise build_closed_error(self.source, self.job_id)

    def stop(self, error: JivsbenchError) -> bool:
        """End the job with this error. False when something else stopped it before."""
        with self._lock:
            if self.stop_error is not None:
                return False
            self.stop_error = error
            leases = tuple(self._leases)
        end_queries(leases)
        return True

    def fail(self, problem: Exception, connector: str) -> None:
        """End the job with what explains the problem of one of its threads; its own thread raises it."""
        error = self.explain(problem, connector)
        if error not in (problem, self.stop_error):
            error.__cause__ = problem
        self.stop(error)

    def explain(self, problem: Exception, connector: str) -> JivsbenchError:
        """What the caller is told: why the job was stopped, else the error itself, wrapped when it is a plugin's own."""
        if self.stop_error is not None:
            return self.stop_error
        if any(lease.is_revoked for lease in self._leases):
            return build_closed_error(self.source, self.job_id)
        if isinstance(problem, JivsbenchError):
            return problem
        kind = log_foreign_error(f"job {self.job_id} in connector {connector}", problem)
        return ExtractionError(f"job {self.job_id} failed in connector {connector}: it raised {kind}; the log says where")


class RunningJobs:
    """All running jobs of one extractor, and their watchdog."""

    def __init__(self, end_wait: EndWait) -> None:
        self._end_wait = end_wait
        self._jobs: dict[str, RunningJob] = {}
        self._changed = threading.Condition()
        self._watchdog: threading.Thread | None = None
        self._wakes_at_s = 0.0
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    def start(self, job_id: str, source: str, timeout_s: float) -> RunningJob:
        """Register a job and arm its deadline. Raises ExtractionError when it runs already."""
        job = RunningJob(job_id, source, timeout_s)
        with self._changed:
            if self._is_closed:
                raise ExtractionError(f"job {job_id} was started while the service stops: start it later")
            if job_id in self._jobs:
                raise ExtractionError(f"job {job_id} runs already: wait for it or stop it")
            self._jobs[job_id] = job
            if self._watchdog is None:
                self._watchdog = threading.Thread(target=self._watch, name="job-deadlines", daemon=True)
                self._watchdog.start()
            elif job.deadline_s < self._wakes_at_s:
                # Rare: later deadlines find the watchdog asleep until an earlier one, and need not wake it.
                self._changed.notify()
        return job

    def finish(self, job: RunningJob) -> None:
        """Forget a job that has ended."""
        with self._changed:
            self._jobs.pop(job.job_id, None)
            if self._is_closed:
                self._changed.notify_all()

    def stop(self, job_id: str, error: JivsbenchError) -> bool:
        """Stop one job, if nothing else has stopped it before. False when it does not run."""
        job = self._jobs.get(job_id)
        if job is None:
            return False
        if job.stop(error):
            self._end_wait(job_id, error)
        return True

    def close(self, grace_s: float, error: Callable[[str], JivsbenchError]) -> None:
        """Start nothing more, wait at most `grace_s` for running jobs, then stop them."""
        give_up_at_s = time.monotonic() + grace_s
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            while self._jobs and (remaining_s := give_up_at_s - time.monotonic()) > 0:
                self._changed.wait(remaining_s)
            left = tuple(self._jobs)
        for job_id in left:
            self.stop(job_id, error(job_id))
        if self._watchdog is not None:
            self._watchdog.join(1.0)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._is_closed and not self._jobs:
                    return
                now_s = time.monotonic()
                running = [job for job in self._jobs.values() if job.stop_error is None]
                late = [job for job in running if job.deadline_s <= now_s]
                if not late:
                    # Without jobs it sleeps for as long as a job may take, so that the next job need not wake it.
                    self._wakes_at_s = min((job.deadline_s for job in running), default=now_s + _IDLE_SLEEP_S)
                    self._changed.wait(self._wakes_at_s - now_s)
            for job in late:
                asked = f"job {job.job_id} was given {job.timeout_s:g} s and did not end in time"
                self.stop(job.job_id, DeadlineError(f"{asked}: raise job_timeout_s of the profile, or ask for fewer rows"))
