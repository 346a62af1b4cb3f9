"""`/data-sources`: where rows come from. URLs go in and never come out."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from jivsbench.errors import JivsbenchError, UnknownNameError
from jivsbench.extract.jobs.failures import describe_failure
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.service.access import answer, need, problems
from jivsbench.service.answers import (
    ServerFactsBody,
    SourceBody,
    SourceListBody,
    show_server,
    show_source,
)
from jivsbench.service.assembly import Service
from jivsbench.service.auth import Role
from jivsbench.service.problems import Problem, RefusedError, describe_error
from jivsbench.service.requests import NAME_PATTERN, NewSource, SourceChange

Name = Annotated[str, Path(pattern=NAME_PATTERN)]


def build_data_source_routes(service: Service) -> APIRouter:
    """The routes of data sources. All of them run in threads: none is on the way of a job."""
    routes = APIRouter(prefix="/data-sources", tags=["data sources"])
    _add_looks(routes, service)
    _add_changes(routes, service)
    return routes


def _add_looks(routes: APIRouter, service: Service) -> None:
    viewers = [need(Role.VIEWER)]

    @routes.get("", response_model=SourceListBody, dependencies=viewers, responses=problems())
    def list_data_sources() -> Response:
        """Every data source, by name."""
        return answer(SourceListBody(items=[show_source(record) for record in service.sources.list_sources()]))

    @routes.get("/{name}", response_model=SourceBody, dependencies=viewers, responses=problems(404))
    def read_data_source(name: Name) -> Response:
        """One data source."""
        return answer(show_source(service.sources.find(name)))

    @routes.post(
        "/{name}/test",
        response_model=ServerFactsBody,
        dependencies=[need(Role.DATA_ENGINEER)],
        responses=problems(404, 502, 504),
    )
    def test_data_source(name: Name) -> Response:
        """Connect to the server and ask it who it is."""
        return answer(show_server(_test(service, service.sources.open(name).source)))


def _add_changes(routes: APIRouter, service: Service) -> None:
    admins = [need(Role.ADMIN)]

    @routes.post("", status_code=201, response_model=SourceBody, dependencies=admins, responses=problems(409, 422, 503))
    def add_data_source(body: NewSource) -> Response:
        """Add a data source. Nothing connects yet: test it."""
        source = body.to_source(body.name)
        _check(service, source)
        return answer(show_source(service.sources.add(source)), 201)

    @routes.put("/{name}", response_model=SourceBody, dependencies=admins, responses=problems(404, 422, 503))
    def change_data_source(name: Name, body: SourceChange) -> Response:
        """Replace everything but the name. Connections opened with the old URL are closed at once."""
        source = body.to_source(name)
        _check(service, source)
        record = service.sources.replace(source)
        service.extractor.forget_source(name)
        return answer(show_source(record))

    @routes.delete("/{name}", status_code=204, dependencies=admins, responses=problems(404))
    def remove_data_source(name: Name) -> Response:
        """Remove a data source, its URL and its connections; its jobs stay."""
        service.sources.remove(name)
        service.extractor.forget_source(name)
        return Response(status_code=204)


def _check(service: Service, source: DataSource) -> None:
    try:
        service.check_source(source)
    except UnknownNameError as exc:
        raise RefusedError(describe_error(exc, 422)) from exc


def _test(service: Service, source: DataSource) -> ServerFacts:
    try:
        return service.extractor.test_source(source)
    except Exception as exc:
        # A connector is a plugin: of its own errors the client hears the class, of ours the text without the source's secrets.
        failure = describe_failure(exc, source.url)
        status = describe_error(exc).status if isinstance(exc, JivsbenchError) else 502
        raise RefusedError(Problem(502 if status == 500 else status, failure.slug, failure.message)) from exc  # noqa: PLR2004
