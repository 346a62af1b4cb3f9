"""`trail`: says whether an audit trail is what the service wrote."""

from pathlib import Path

from jivsbench.config import Settings
from jivsbench.errors import ConfigError
from jivsbench.extract.credentials import AUDIT_USE, parse_credential_key
from jivsbench.model.audit import TrailReview, review_trail
from jivsbench.service.trail_files import find_key_id, read_lines


def review_file(settings: Settings, path: Path, noted_head: str | None, after: str | None = None) -> TrailReview:
    """Follow the chain of a file, and of the full ones before it.

    Raises ConfigError for a file that cannot be read, and when the settings lack its lines' key.
    """
    key_id = find_key_id(path)
    secret = None
    if key_id is not None:
        key = parse_credential_key(settings.credential_key) if settings.credential_key else None
        if key is None or key.key_id != key_id:
            raise ConfigError(
                f"the lines of {path} are signed with credential key {key_id!r}, and the configuration has "
                f"{repr(key.key_id) if key else 'none'}: name that key with JIVSBENCH_CREDENTIAL_KEY_FILE"
            )
        secret = key.derive(AUDIT_USE)
    try:
        return review_trail(read_lines(path), secret, noted_head, after)
    except OSError as exc:
        raise ConfigError(f"the audit trail {path} cannot be read ({exc.strerror}): check its name and its permissions") from exc
