"""`serve`: the extraction service alone, in this process."""

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.app.progress import Listener, Note, Step
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.app.targets import build_service_spec
from jivsbench.config import Settings, find_profile
from jivsbench.extract.guards import require_guards
from jivsbench.model.secret import Secret
from jivsbench.plugins import Registry
from jivsbench.service.assembly import make_output_folder
from jivsbench.service.server import serve

_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen, where to write, and the token of role ADMIN; None makes one."""

    profile: str
    host: str
    port: int
    output: Path
    admin_token: Secret | None


def serve_alone(settings: Settings, registry: Registry, options: ServeOptions, listener: Listener) -> None:
    """Serve until the process is told to stop. Raises NoGuardError, PortInUseError or OutputError before anything listens."""
    profile = find_profile(settings, options.profile)
    require_guards(profile, registry.guards)
    # The service would make it too, but only after servers were started.
    make_output_folder(options.output)
    token = (options.admin_token or _write_new_token(listener)).reveal()
    with open_servers(settings, registry, listener) as servers:
        bench = Workbench(settings, registry, servers, listener)
        spec = build_service_spec(bench, profile, options.output, port=options.port, host=options.host, admin_token=token)
        serve(spec, lambda base_url: listener(Step(f"serving {profile.name} on {base_url}/api/v1 - Ctrl-C ends it")))


def _write_new_token(listener: Listener) -> Secret:
    """A token that only this user can read; its place is told, it is not."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    handle, path = tempfile.mkstemp(prefix="jivsbench-admin-token-")
    with os.fdopen(handle, "w") as file:
        file.write(token)
    listener(Note(f"JIVSBENCH_ADMIN_TOKEN is not set: a new token of role ADMIN is in {path}"))
    return Secret(token)
