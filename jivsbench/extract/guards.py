"""Guards are asked before a connection is borrowed. A guard that breaks refuses: failing open would be no guard."""

from collections.abc import Collection, Sequence

from jivsbench.api import Guard, GuardRequest
from jivsbench.errors import GuardRefusedError, NoGuardError, UnknownNameError
from jivsbench.extract.foreign import log_foreign_error
from jivsbench.model.profile import Profile


def require_guards(profile: Profile, guards: Sequence[Guard]) -> tuple[Guard, ...]:
    """The guards in force under a profile, out of those that are loaded. Raises like `require_guard_names`."""
    loaded = {guard.name: guard for guard in guards}
    return tuple(loaded[name] for name in require_guard_names(profile, loaded))


def require_guard_names(profile: Profile, loaded: Collection[str]) -> tuple[str, ...]:
    """The names of the guards in force under a profile, out of the names of those that are loaded, wherever that is.

    `profile.guards` None means all of them, and at least one (else NoGuardError); names mean exactly these
    (UnknownNameError for one that is not loaded); empty means none, because somebody wrote so.
    """
    if profile.guards is None:
        if not loaded:
            raise NoGuardError(
                f"profile {profile.name!r} needs a guard and none is loaded: install jivsbench-sqlguard, "
                "or write `guards = []` in the profile to run without one (every report then says so)"
            )
        return tuple(loaded)
    missing = [name for name in profile.guards if name not in loaded]
    if missing:
        raise UnknownNameError.among("guard", missing[0], loaded)
    return tuple(dict.fromkeys(profile.guards))


def review(guards: Sequence[Guard], request: GuardRequest) -> None:
    """Ask every guard. Raises GuardRefusedError when one refuses, or cannot answer."""
    for guard in guards:
        try:
            guard.review(request)
        except GuardRefusedError:
            raise
        except Exception as problem:
            kind = log_foreign_error(f"guard {guard.name}", problem)
            raise GuardRefusedError(
                f"guard {guard.name} could not judge the request ({kind}), so it is refused; the log says where"
            ) from problem
