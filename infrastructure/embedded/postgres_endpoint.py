"""Names the ways into the embedded PostgreSQL: one connection string per role."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.paths import write_private

ADMIN, OWNER, SYSTEM, APP = "aios_admin", "aios_owner", "aios_system", "aios_app"
ROLES = (ADMIN, OWNER, SYSTEM, APP)
DATABASE, KEYRING = "aios", "aios_keyring"


@dataclass(frozen=True, repr=False)
class PostgresEndpoint:
    """libpq URLs (psycopg takes them as they are) over the private unix socket; they hold passwords.

    `app_dsn` and `system_dsn`: the two unprivileged roles; `owner_dsn`: owns the database and may change its
    tables; `admin_dsn`: the superuser; `keyring_dsn`: the owner in the separate database of wrapped keys.
    """

    app_dsn: str
    system_dsn: str
    owner_dsn: str
    admin_dsn: str
    keyring_dsn: str


def load_credentials(path: Path) -> dict[str, str]:
    """The passwords kept in `path`; ServiceStartError when the file is gone."""
    try:
        found: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError as error:
        message = (
            f"{path} is missing: without it the database beside it cannot be opened; restore it from a backup"
        )
        raise ServiceStartError(message) from error
    return found


def draw_credentials(path: Path) -> None:
    """Write new random passwords to `path` (0600) unless the file exists."""
    if not path.exists():
        write_private(path, json.dumps({role: secrets.token_urlsafe(32) for role in ROLES}))


def endpoint(
    credentials: dict[str, str],
    socket_directory: str,
    port: int,
    database: str = DATABASE,
    keyring: str = KEYRING,
) -> PostgresEndpoint:
    """The URLs for one pair of databases on the server whose socket lies in `socket_directory`."""
    host = quote(socket_directory, safe="")

    def url(role: str, password: str, name: str) -> str:
        return f"postgresql://{role}:{quote(password)}@/{name}?host={host}&port={port}"

    return PostgresEndpoint(
        app_dsn=url(APP, credentials[APP], database),
        system_dsn=url(SYSTEM, credentials[SYSTEM], database),
        owner_dsn=url(OWNER, credentials[OWNER], database),
        admin_dsn=url(ADMIN, credentials[ADMIN], database),
        keyring_dsn=url(OWNER, credentials[OWNER], keyring),
    )
