"""`/extractions`: create, start, wait for, stop and look at jobs."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from jivsbench.errors import JobStateError, UnknownNameError
from jivsbench.extract.jobs.values import JobRecord
from jivsbench.model.job import JobState
from jivsbench.service.access import answer, need, problems
from jivsbench.service.answers import (
    JobBody,
    JobPageBody,
    LogBody,
    StatisticsBody,
    show_job,
    show_log,
    show_page,
    show_statistics,
)
from jivsbench.service.assembly import Service
from jivsbench.service.auth import Role
from jivsbench.service.calls import Calls
from jivsbench.service.problems import RefusedError, describe_error
from jivsbench.service.requests import JOB_ID_PATTERN, ExtractionBody

MAX_WAIT_S = 30.0
_MAX_PAGE_SIZE = 200
JobId = Annotated[str, Path(pattern=JOB_ID_PATTERN, description="The id that creation answered with")]
WaitTime = Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="Answer when the job has ended, or after so many seconds")]


def build_extraction_routes(service: Service, calls: Calls) -> APIRouter:
    """The routes of jobs."""
    routes = APIRouter(prefix="/extractions", tags=["extractions"])
    _add_changes(routes, service, calls)
    _add_looks(routes, service, calls)
    return routes


def _add_changes(routes: APIRouter, service: Service, calls: Calls) -> None:
    runner, engineers = service.runner, [need(Role.DATA_ENGINEER)]

    @routes.post("", status_code=201, response_model=JobBody, dependencies=engineers, responses=problems(413, 422, 503))
    async def create_extraction(body: ExtractionBody) -> Response:
        """Create a job, PENDING. Guards are asked before it exists."""
        request = body.to_request()
        # A guard parses a query as a whole; for a table there is next to nothing to read.
        run = calls.long if request.query is not None else calls.short
        try:
            return answer(show_job(await run(runner.create, request)), 201)
        except UnknownNameError as exc:
            raise RefusedError(describe_error(exc, 422)) from exc

    @routes.post(
        "/{job_id}/start", status_code=202, response_model=JobBody, dependencies=engineers, responses=problems(404, 409, 503)
    )
    async def start_extraction(job_id: JobId) -> Response:
        """Let a PENDING job run as soon as a worker is free. 503 with Retry-After when too many wait."""
        return answer(show_job(await calls.short(runner.submit, job_id)), 202)

    @routes.post("/{job_id}/stop", status_code=202, response_model=JobBody, dependencies=engineers, responses=problems(404, 409))
    async def stop_extraction(job_id: JobId) -> Response:
        """Cancel a job that waits, or end the query of one that runs."""
        return answer(show_job(await calls.long(runner.stop, job_id)), 202)


def _add_looks(routes: APIRouter, service: Service, calls: Calls) -> None:
    runner, viewers = service.runner, [need(Role.VIEWER)]

    @routes.get("", response_model=JobPageBody, dependencies=viewers, responses=problems(422))
    async def list_extractions(
        status: JobState | None = None,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        size: Annotated[int, Query(ge=1, le=_MAX_PAGE_SIZE)] = 20,
    ) -> Response:
        """Jobs, newest first."""
        return answer(show_page(await calls.long(service.jobs.list_jobs, status, page, size)))

    @routes.get("/{job_id}", response_model=JobBody, dependencies=viewers, responses=problems(404, 422))
    async def read_extraction(job_id: JobId, wait_s: WaitTime = 0.0) -> Response:
        """One job; with `wait_s`, as soon as it has ended."""
        if wait_s:
            return answer(show_job(await _wait_for(service, calls, job_id, wait_s)))
        return answer(show_job(await calls.short(runner.find, job_id)))

    @routes.get("/{job_id}/statistics", response_model=StatisticsBody, dependencies=viewers, responses=problems(404, 409))
    async def read_statistics(job_id: JobId) -> Response:
        """What a completed job did."""
        found = await calls.short(runner.find_statistics, job_id)
        if found is None:
            job = await calls.short(runner.find, job_id)
            raise JobStateError(f"the job is {job.state.value}: only a COMPLETED one has statistics")
        return answer(show_statistics(found))

    @routes.get("/{job_id}/logs", response_model=LogBody, dependencies=viewers, responses=problems(404))
    async def read_log(job_id: JobId) -> Response:
        """What happened to a job."""
        job = await calls.long(runner.find, job_id)
        return answer(show_log(await calls.long(service.jobs.read_log, job)))


async def _wait_for(service: Service, calls: Calls, job_id: str, wait_s: float) -> JobRecord:
    """The job once it is final, or after `wait_s`. Nobody polls: the worker that ends the job calls back."""
    runner, loop = service.runner, asyncio.get_running_loop()
    ended = loop.create_future()
    wake = _build_wake(loop, ended)
    if runner.waiters.add(job_id, wake):
        try:
            # First the callback, then the look: a job cannot end unseen between the two.
            job = None if runner.holds(job_id) else await calls.short(runner.find, job_id)
            if job is None or not job.state.is_final:
                await asyncio.wait([ended], timeout=wait_s)
        finally:
            runner.waiters.remove(job_id, wake)
        if job is not None and job.state.is_final:
            return job
    return await calls.short(runner.find, job_id)


def _build_wake(loop: asyncio.AbstractEventLoop, ended: "asyncio.Future[None]") -> Callable[[], None]:
    def resolve() -> None:
        if not ended.done():
            ended.set_result(None)

    def wake() -> None:
        # The loop is closed only when nobody waits for an answer any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(resolve)

    return wake
