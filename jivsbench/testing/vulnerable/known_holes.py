"""Installations for SEC-031: a version with a known hole, and the one in which it is closed. The advisory is of today."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jivsbench.api import Installation
from jivsbench.testing.vulnerable.installed_files import install_distribution, lock_distribution

_NAME: Final = "acme-templates"
_FIXED: Final = "2.10.1"


def plant_affected(folder: Path) -> Installation:
    """Before the fix."""
    return _plant(folder, "2.10")


def plant_fixed(folder: Path) -> Installation:
    """With it."""
    return _plant(folder, _FIXED)


def _plant(folder: Path, version: str) -> Installation:
    install_distribution(folder, _NAME, version, {"acme_templates/__init__.py": "SAFE = False\n"})
    advisory = {
        "schema_version": "1.6.0",
        "id": "ACME-2026-0001",
        "modified": datetime.now(UTC).isoformat(),
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:H/A:N"}],
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": _NAME},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": _FIXED}]}],
            }
        ],
    }
    file = folder / "advisories.json"
    file.write_text(json.dumps(advisory), encoding="utf-8")
    # Locked too: checks share their targets, and another one looks for what is installed without being locked.
    return Installation(packages=(folder,), locks=(lock_distribution(folder, _NAME, version),), advisories=(file,))
