"""A profile fitted to one extraction that has the machine to itself."""

import os
from dataclasses import replace

from jivsbench.app.extraction import fit_to_one_extraction
from jivsbench.model.profile import LEGACY, OPTIMIZED


def test_streams_follow_the_cores_and_the_profile_unless_they_are_named() -> None:
    """A stream a core, never more than the profile has; a named number counts as it is."""
    cores = len(os.sched_getaffinity(0))

    assert fit_to_one_extraction(OPTIMIZED, None, 60.0).switches.streams == min(OPTIMIZED.switches.streams, cores)
    assert fit_to_one_extraction(LEGACY, None, 60.0).switches.streams == 1
    assert fit_to_one_extraction(OPTIMIZED, 7, 60.0).switches.streams == 7


def test_one_time_limit_holds_for_query_and_job() -> None:
    """A long read is not ended by the limit that a service has for one of many; nothing else of the profile changes."""
    fitted = fit_to_one_extraction(OPTIMIZED, 4, 7200.0)

    assert fitted == replace(OPTIMIZED, query_timeout_s=7200.0, job_timeout_s=7200.0)
