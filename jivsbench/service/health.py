"""Is it up, may it be given work, how does it do, and what is in force."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from jivsbench.service.access import answer, need, problems
from jivsbench.service.answers import ProfileBody, StatusBody, SwitchesBody
from jivsbench.service.assembly import Service
from jivsbench.service.auth import Role
from jivsbench.service.metrics import CONTENT_TYPE

SampleNames = Annotated[tuple[Annotated[str, Query(max_length=100)], ...], Query(alias="name[]", max_length=20)]


def build_health_routes(service: Service) -> APIRouter:
    """The routes at the root."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", response_model=StatusBody)
    async def read_health() -> Response:
        """The process answers."""
        return answer(StatusBody(status="ok"))

    @routes.get("/ready", response_model=StatusBody, responses={503: {"model": StatusBody}})
    def read_readiness() -> Response:
        """The job store answers, and jobs are taken."""
        if not service.runner.is_open:
            return answer(StatusBody(status="ending"), 503)
        if not service.database.is_answering():
            return answer(StatusBody(status="the job store does not answer"), 503)
        return answer(StatusBody(status="ok"))

    @routes.get("/metrics", dependencies=[need(Role.VIEWER)], responses=problems(), response_class=Response)
    def read_metrics(names: SampleNames = ()) -> Response:
        """Every metric, in the text format of Prometheus; with `name[]` only those whose samples have one of these names."""
        return Response(service.metrics.format(names), headers={"content-type": CONTENT_TYPE})

    return routes


def build_profile_routes(service: Service) -> APIRouter:
    """The profile, under the API's own prefix."""
    routes = APIRouter(tags=["profile"])

    @routes.get("/profile", response_model=ProfileBody, dependencies=[need(Role.VIEWER)], responses=problems())
    async def read_profile() -> Response:
        """The profile's switches, and the guards that are really in force."""
        switches = SwitchesBody.model_validate(service.profile.switches)
        return answer(ProfileBody(name=service.profile.name, guards=list(service.guards), switches=switches))

    return routes
