"""Files, environment and flags in; settings and scenarios out. Every user mistake is caught here, with file, line and key."""

from jivsbench.config.duration import parse_duration
from jivsbench.config.profiles import find_profile
from jivsbench.config.scenarios import (
    find_feed,
    list_scenarios,
    load_quality_gate,
    load_scenario,
    scale_scenario,
    scenario_folders,
)
from jivsbench.config.secret_sources import read_secret_path
from jivsbench.config.settings import CONFIG_FILENAME, Overrides, Settings, find_config, load_settings
from jivsbench.config.starter import starter_config

__all__ = [
    "CONFIG_FILENAME",
    "Overrides",
    "Settings",
    "find_config",
    "find_feed",
    "find_profile",
    "list_scenarios",
    "load_quality_gate",
    "load_scenario",
    "load_settings",
    "parse_duration",
    "read_secret_path",
    "scale_scenario",
    "scenario_folders",
    "starter_config",
]
