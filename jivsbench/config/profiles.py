"""Profiles from a file: a profile that exists already, with settings changed one by one."""

import os
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jivsbench.config.document import Section
from jivsbench.config.duration import LONGEST_S
from jivsbench.errors import UnknownNameError
from jivsbench.model.output import OutputFormat, OutputSettings
from jivsbench.model.profile import (
    LEGACY,
    OPTIMIZED,
    PROFILES,
    CacheTimes,
    MetadataPoolLimits,
    PoolLimits,
    Profile,
    Switches,
    Verification,
    fit_to_machine,
)

if TYPE_CHECKING:
    from jivsbench.config.settings import Settings

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
NAME_RULE: Final = "a name has up to 63 letters, digits, '.', '_' and '-', and starts with a letter or digit"
PROFILE_KEYS: Final = (
    "base",
    "guards",
    "cache",
    "batch_rows",
    "job_workers",
    "queue_limit",
    "query_timeout_s",
    "job_timeout_s",
    "switches",
    "pool",
    "metadata",
    "cache_times",
    "verification",
    "output",
)
_MAY_BE_ZERO: Final = ("min_idle", "max_overflow")
_Group = TypeVar("_Group", Switches, PoolLimits, MetadataPoolLimits, CacheTimes)


def read_profiles(section: Section) -> tuple[Profile, ...]:
    """The built-in profiles and those of a `[profiles]` section; a base is built in or stands further up."""
    known = {profile.name: profile for profile in PROFILES}
    for name in section.keys:
        if not NAME.fullmatch(name):
            section.fail(name, NAME_RULE)
        if name in known:
            section.fail(name, f"the profile {name!r} is built in: choose another name, with base = {name!r}")
        known[name] = _read_profile(name, section.section(name), known)
    return tuple(known.values())


def find_profile(settings: "Settings", name: str) -> Profile:
    """The profile of that name, fitted to this machine. Raises UnknownNameError."""
    known = {profile.name: profile for profile in settings.profiles}
    if name not in known:
        raise UnknownNameError.among("profile", name, known)
    return fit_to_machine(known[name], os.cpu_count() or 1)


def _read_profile(name: str, section: Section, known: dict[str, Profile]) -> Profile:
    section.expect(PROFILE_KEYS)
    base_name = section.text("base") or OPTIMIZED.name
    if base_name not in known:
        section.fail("base", str(UnknownNameError.among("profile", base_name, known)))
    base = known[base_name]
    guards = section.texts("guards")
    switches = _change(section.section("switches"), base.switches)
    profile = Profile(
        name=name,
        switches=switches,
        guards=base.guards if guards is None else guards,
        cache=section.text("cache") or base.cache,
        pool=_change(section.section("pool"), base.pool),
        metadata=_change(section.section("metadata"), _follow_switch(base, switches)),
        cache_times=_change(section.section("cache_times"), base.cache_times),
        batch_rows=section.integer("batch_rows", base.batch_rows),
        job_workers=section.integer("job_workers", base.job_workers, least=0),
        queue_limit=section.integer("queue_limit", base.queue_limit),
        query_timeout_s=section.number("query_timeout_s", base.query_timeout_s, most=LONGEST_S),
        job_timeout_s=section.number("job_timeout_s", base.job_timeout_s, most=LONGEST_S),
        verification=_read_verification(section, base.verification),
        output=_read_output(section.section("output"), base.output),
    )
    _check_pool(section.section("pool"), profile.pool)
    return profile


def _read_verification(section: Section, default: Verification) -> Verification:
    text = section.text("verification")
    if text is None:
        return default
    if text not in tuple(Verification):
        section.fail("verification", str(UnknownNameError.among("verification", text, tuple(Verification))))
    return Verification(text)


def _read_output(section: Section, base: OutputSettings) -> OutputSettings:
    section.expect(("format", "escape_formulas"))
    text = section.text("format") or base.format.value
    if text not in tuple(OutputFormat):
        section.fail("format", str(UnknownNameError.among("output format", text, tuple(OutputFormat))))
    return OutputSettings(OutputFormat(text), section.flag("escape_formulas", base.escape_formulas))


def _follow_switch(base: Profile, switches: Switches) -> MetadataPoolLimits:
    """The switch `metadata_pool` stands for numbers: turning it alone turns them too."""
    if switches.metadata_pool == base.switches.metadata_pool:
        return base.metadata
    return (OPTIMIZED if switches.metadata_pool else LEGACY).metadata


def _change(section: Section, base: _Group) -> _Group:
    """A copy of a group of settings with those replaced that the section names, each of the kind it has in the group."""
    names = [field.name for field in fields(base)]
    section.expect(names)
    changed: dict[str, Any] = {}
    for name in section.keys:
        current = getattr(base, name)
        if isinstance(current, bool):
            changed[name] = section.flag(name, current)
        elif isinstance(current, int):
            changed[name] = section.integer(name, current, least=0 if name in _MAY_BE_ZERO else 1)
        else:
            changed[name] = section.number(name, current, most=LONGEST_S)
    return replace(base, **changed)


def _check_pool(section: Section, pool: PoolLimits) -> None:
    if pool.min_idle > pool.max_size:
        section.fail("min_idle" if "min_idle" in section else "max_size", "min_idle is above max_size: lower it")
    if pool.max_size > pool.total_max:
        section.fail("max_size" if "max_size" in section else "total_max", "max_size is above total_max: raise total_max")
