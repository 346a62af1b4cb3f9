"""An installation whose compose file holds a password, and whose secret file everybody can read: what SEC-021 must find."""

from pathlib import Path

from jivsbench.api import Installation

_COMPOSE = """\
services:
  db:
    image: postgres:17
    environment:
      POSTGRES_USER: shop
      POSTGRES_PASSWORD: wrong-on-purpose
"""
_CONFIG = """\
[source]
url = "postgresql://reader@127.0.0.1:5432/shop"
password_file = "source.password"
"""


def plant(folder: Path) -> Installation:
    """Write both, and the secret file with mode 0644."""
    compose, config, secret = folder / "compose.yaml", folder / "jivsbench.toml", folder / "source.password"
    compose.write_text(_COMPOSE)
    config.write_text(_CONFIG)
    secret.write_text("wrong-on-purpose\n")
    secret.chmod(0o644)
    return Installation(configurations=(compose, config))
