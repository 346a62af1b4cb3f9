"""What a user may do too much: from lines of SHOW GRANTS, and on a real server."""

import contextlib
import secrets
from urllib.parse import urlsplit

import pytest

from jivsbench.api import PrivilegeTeller, ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_mysql.connector import MysqlConnector
from jivsbench_mysql.privileges import read_grant
from tests.mysql_database import connect_admin


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT USAGE ON *.* TO `ann`@`%` IDENTIFIED BY PASSWORD '*A4B6157319038724E3560894F7F932C8886EBFCF'",
        "GRANT SELECT, SHOW VIEW ON `shop`.* TO `ann`@`%`",
        "GRANT SELECT (`id`, `name`) ON `shop`.`orders` TO `ann`@`%`",
        "GRANT `reader` TO `ann`@`%`",
    ],
)
def test_reading_is_not_too_much(grant) -> None:
    """Neither is a role, whose grants come in lines of their own."""
    assert read_grant(grant) == ()


@pytest.mark.parametrize(
    ("grant", "remedies"),
    [
        ("GRANT SELECT, INSERT, DELETE ON `shop`.* TO `ann`@`%`", ["REVOKE INSERT, DELETE ON `shop`.* FROM `ann`@`%`"]),
        ("GRANT UPDATE (`a`, `b`), SELECT ON `s`.`t` TO `ann`@`h`", ["REVOKE UPDATE (`a`, `b`) ON `s`.`t` FROM `ann`@`h`"]),
        (
            "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` IDENTIFIED VIA x USING '*SECRET' WITH GRANT OPTION",
            [
                "REVOKE ALL PRIVILEGES ON *.* FROM `root`@`localhost`; GRANT SELECT ON *.* TO `root`@`localhost`",
                "REVOKE GRANT OPTION ON *.* FROM `root`@`localhost`",
            ],
        ),
        ('GRANT INSERT ON "sh""op`x".* TO "ann"@"%"', ['REVOKE INSERT ON `sh"op``x`.* FROM `ann`@`%`']),
        ("GRANT FILE, PROCESS ON *.* TO `a``b`@`%`", ["REVOKE FILE, PROCESS ON *.* FROM `a``b`@`%`"]),
        ("SOMETHING new '*SECRET'", ["SHOW GRANTS, and revoke all but SELECT"]),
    ],
)
def test_the_rest_is_and_no_digest_is_shown(grant, remedies) -> None:
    """Each with the statement that takes it away; of a line that cannot be read nothing is repeated."""
    found = read_grant(grant)

    assert [one.remedy for one in found] == remedies
    assert "SECRET" not in repr(found)


def test_a_real_server_says_what_is_too_much(real_mysql_url: str) -> None:
    """Planted, found, and gone after the printed statements were run."""
    name = f"clerk_{secrets.token_hex(4)}"
    parts = urlsplit(real_mysql_url)
    source = DataSource("main", "mysql", Secret(f"mysql://{name}:clerk@{parts.hostname}:{parts.port or 3306}/"))

    def excess():
        connection = MysqlConnector().connect(source, ReadLimits())
        with contextlib.closing(connection):
            assert isinstance(connection, PrivilegeTeller)
            return connection.excess_privileges()

    with contextlib.closing(connect_admin(real_mysql_url)) as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE USER {name}@'%' IDENTIFIED BY 'clerk'")
        try:
            cursor.execute(
                f"GRANT SELECT, INSERT, FILE ON *.* TO {name}@'%'".replace("INSERT, FILE", "INSERT, FILE, CREATE USER")
            )
            found = excess()
            for one in found:
                cursor.execute(one.remedy)
            left = excess()
        finally:
            cursor.execute(f"DROP USER {name}@'%'")

    assert "INSERT" in found[0].found
    assert "FILE" in found[0].found
    assert left == ()
