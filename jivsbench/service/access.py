"""What each route needs and may answer: the role, and the problems that the OpenAPI document names."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import Depends, Request
from fastapi.params import Depends as DependsParameter
from pydantic import BaseModel
from starlette.responses import Response

from jivsbench.service.auth import Role
from jivsbench.service.problems import MEDIA_TYPE, Problem, ProblemDocument, RefusedError

_LOG = logging.getLogger(__name__)


def need(role: Role) -> DependsParameter:
    """A dependency that lets only this role, and those above it, pass."""

    async def check(request: Request) -> None:
        held: Role = request.state.role
        if not held.includes(role):
            facts = {"method": request.method, "path": request.url.path, "role": held.value}
            _LOG.warning("a request was refused for its role", extra=facts)
            raise RefusedError(Problem(403, "forbidden", f"this needs a token of role {role.value}"))

    dependency: Callable[[Request], Awaitable[None]] = check
    return Depends(dependency)  # type: ignore[no-any-return]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that are no success, for the OpenAPI document; 401, 403, 422 and 500 are always among them."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({401, 403, 422, 500, *statuses})
    }


def answer(body: BaseModel, status: int = 200) -> Response:
    """The body as JSON; built here, it is validated once and not a second time by the framework."""
    return Response(body.model_dump_json(), status, media_type="application/json")
