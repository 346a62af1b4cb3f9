"""`credentials`: makes the key of a service, and encrypts its stored URLs with a new one."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jivsbench.config import Settings
from jivsbench.errors import CredentialError, EnvironmentProblem, OutputError
from jivsbench.extract.credentials import CredentialVault, format_new_key, parse_credential_key
from jivsbench.extract.jobs.database import STORE_FOLDER, open_database
from jivsbench.extract.jobs.rotation import Rotation, rotate_urls
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.secret import Secret


def write_new_key(path: Path) -> str:
    """A new key in a new file that only its owner can read; its id. Raises OutputError when the file exists."""
    key = format_new_key()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key.reveal() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise OutputError(
            f"the new key was to be written to {path}, which cannot be made ({exc.strerror}): name a new file"
        ) from exc
    return parse_credential_key(key).key_id


def rotate_credentials(settings: Settings, folder: Path, old_key: Secret | None) -> Rotation:
    """Encrypt every URL in the job store with the key of the settings.

    `folder` is the service's output folder, whose store is used when the settings name none. Raises CredentialError
    without a key, and EnvironmentProblem while the service runs.
    """
    if settings.credential_key is None:
        raise CredentialError(
            "the stored URLs were to be encrypted with the new key, and none is given: name it with key_file under "
            "[credentials] or JIVSBENCH_CREDENTIAL_KEY_FILE (`jivsbench credentials new-key FILE` makes one)"
        )
    new = CredentialVault(parse_credential_key(settings.credential_key))
    old = CredentialVault(parse_credential_key(old_key)) if old_key else None
    place = folder if settings.metadata_url else folder / STORE_FOLDER
    if not place.is_dir():
        raise OutputError(f"no service keeps its jobs in {folder}: name the output folder of the service with --output")
    with _standing_still(folder):
        database = open_database(settings.metadata_url, folder / STORE_FOLDER, OPTIMIZED.metadata)
        try:
            return rotate_urls(database, old, new)
        finally:
            database.close()


@contextmanager
def _standing_still(folder: Path) -> Iterator[None]:
    """A running service has the old key, and could open nothing any more."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise EnvironmentProblem(f"a service runs on {folder} with its old key: stop it first, then rotate") from exc
        yield
    finally:
        os.close(descriptor)
