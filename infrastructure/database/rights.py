"""The rights of the two roles that run the product, and forced row-level security, for any tenant table.

`aios_app` serves requests and sees one tenant at a time (`aios.tenant`, set per transaction); `aios_system`
writes the log and the read models of all tenants. Neither owns a table, neither bypasses row-level security.
"""

from __future__ import annotations

ROLES = ("aios_app", "aios_system")


def grant_tenant_table(table: str, *, system: str, app: str) -> list[str]:
    """Return the statements that force row-level security on a table with a `tenant` column.

    `system` and `app` are privilege lists such as "SELECT, INSERT"; an empty one grants nothing.
    """
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"DROP POLICY IF EXISTS {table}_app ON {table}",
        f"DROP POLICY IF EXISTS {table}_system ON {table}",
        f"CREATE POLICY {table}_app ON {table} TO aios_app "
        "USING (tenant = current_setting('aios.tenant', true)) "
        "WITH CHECK (tenant = current_setting('aios.tenant', true))",
        f"CREATE POLICY {table}_system ON {table} TO aios_system USING (true) WITH CHECK (true)",
    ]
    if system:
        statements.append(f"GRANT {system} ON {table} TO aios_system")
    if app:
        statements.append(f"GRANT {app} ON {table} TO aios_app")
    return statements
