"""The FastAPI application over a service. Built by a function: no global, nothing at import."""

import functools
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from jivsbench import __version__
from jivsbench.errors import GuardRefusedError, JivsbenchError
from jivsbench.service.assembly import Service
from jivsbench.service.calls import Calls
from jivsbench.service.data_sources import build_data_source_routes
from jivsbench.service.envelope import OPEN_PATHS, OPENAPI_PATH, BodyTooLargeError, Envelope
from jivsbench.service.extractions import build_extraction_routes
from jivsbench.service.health import build_health_routes, build_profile_routes
from jivsbench.service.problems import (
    INTERNAL,
    TOO_LARGE,
    Problem,
    ProblemDocument,
    RefusedError,
    describe_error,
    describe_http_error,
    describe_validation,
)

_LOG = logging.getLogger(__name__)
_PREFIX = "/api/v1"


def build_app(service: Service) -> FastAPI:
    """The whole HTTP API of one service."""
    app = FastAPI(
        title="jivsbench extraction service", version=__version__, openapi_url=OPENAPI_PATH, docs_url=None, redoc_url=None
    )
    calls = Calls(are_short=service.database.is_local)
    app.include_router(build_extraction_routes(service, calls), prefix=_PREFIX)
    app.include_router(build_data_source_routes(service), prefix=_PREFIX)
    app.include_router(build_profile_routes(service), prefix=_PREFIX)
    app.include_router(build_health_routes(service))
    _add_problem_handlers(app)
    app.add_middleware(Envelope, authority=service.authority, trail=service.trail)
    app.openapi = functools.cache(functools.partial(_describe_api, app))  # type: ignore[method-assign]
    return app


def _add_problem_handlers(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def tell_refusal(request: Request, error: RefusedError) -> Response:
        return _tell(request, error.problem)

    @app.exception_handler(JivsbenchError)
    async def tell_error(request: Request, error: JivsbenchError) -> Response:
        problem = describe_error(error)
        if problem is INTERNAL:
            _LOG.error("a request failed", exc_info=error, extra={"method": request.method})
        elif isinstance(error, GuardRefusedError):
            facts = {"role": request.state.role.value, "reason": problem.detail}
            _LOG.warning("a guard refused a request", extra=facts)
        return _tell(request, problem)

    @app.exception_handler(RequestValidationError)
    async def tell_validation(request: Request, error: RequestValidationError) -> Response:
        return _tell(request, describe_validation(error))

    @app.exception_handler(HTTPException)
    async def tell_http_error(request: Request, error: HTTPException) -> Response:
        return _tell(request, TOO_LARGE if isinstance(error, BodyTooLargeError) else describe_http_error(error))


def _tell(request: Request, problem: Problem) -> Response:
    request.state.problem = problem
    return problem.to_response(request.state.correlation_id)


def _describe_api(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: as the framework makes it, with the token that the envelope asks for."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description="Extracts tables into verified files. Errors are problem documents (RFC 9457).",
        routes=app.routes,
    )
    bearer = {"type": "http", "scheme": "bearer", "description": "Roles: VIEWER < DATA_ENGINEER < ADMIN"}
    document["components"]["schemas"][ProblemDocument.__name__] = ProblemDocument.model_json_schema()
    document["components"]["securitySchemes"] = {"token": bearer}
    document["security"] = [{"token": []}]
    for path in OPEN_PATHS & document["paths"].keys():
        for operation in document["paths"][path].values():
            operation["security"] = []
    return document
