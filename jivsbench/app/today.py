"""The day on which a run is judged."""

from datetime import date


def read_today() -> str:
    """Today, as an ISO date: waivers and suppressions end with a day of the calendar here, not with a moment of some zone."""
    return date.today().isoformat()  # noqa: DTZ011
