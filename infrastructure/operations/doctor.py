"""Says what is configured, what answers and what is missing, without starting anything."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infrastructure import secret_files, web_build
from infrastructure.database import engines
from infrastructure.database.migrate import newest_revision
from infrastructure.embedded.errors import EmbeddedServiceError, ServiceStartError
from infrastructure.embedded.postgres import EmbeddedPostgres
from infrastructure.embedded.valkey import EmbeddedValkey
from infrastructure.settings import Settings

Findings = dict[str, Any]


class Diagnosis(msgspec.Struct, frozen=True):
    """What was found, by component; `ok` when nothing that the product needs is missing."""

    ok: bool
    components: Findings


async def diagnose(settings: Settings) -> Diagnosis:
    """Look at every component. The answer holds passwords, in `database.dsn` and `database.admin_dsn`."""
    checks: dict[str, Callable[[Settings], Awaitable[Findings]]] = {
        "database": _database,
        "queue": _queue,
        "keys": _keys,
        "providers": _providers,
        "console": _console,
    }
    components = {name: await check(settings) for name, check in checks.items()}
    needed = ("database", "queue", "keys")
    return Diagnosis(all(components[name]["ok"] for name in needed), components)


async def _database(settings: Settings) -> Findings:
    found: Findings = {"ok": False, "embedded": settings.database_url is None}
    try:
        if settings.database_url is None:
            _require_started(settings, "postgres")
            where = EmbeddedPostgres(settings.data_dir).endpoint()
            found |= {"dsn": where.app_dsn, "admin_dsn": where.admin_dsn}
        else:
            found["dsn"] = engines.as_role(settings.database_url, "aios_app")
        async with await psycopg.AsyncConnection.connect(found["dsn"], connect_timeout=3) as conn:
            found |= await _database_facts(conn)
    except (psycopg.Error, EmbeddedServiceError, OSError) as error:
        found["problem"] = f"does not answer: {str(error).strip()}; start it with `make up`"
        return found
    expected = newest_revision()
    found["ok"] = found["revision"] == expected
    if not found["ok"]:
        found["problem"] = f"the schema is at {found['revision']}, not {expected}: run `aios migrate`"
    return found


async def _database_facts(conn: psycopg.AsyncConnection) -> Findings:
    version = (await (await conn.execute("SHOW server_version")).fetchall())[0][0]
    vector = await (
        await conn.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    ).fetchone()
    revision, head = None, None
    try:
        async with conn.transaction():
            revision = (await (await conn.execute("SELECT version_num FROM alembic_version")).fetchall())[0][
                0
            ]
            head = (await (await conn.execute("SELECT position FROM log_head")).fetchall())[0][0]
    except psycopg.Error:
        pass  # not migrated yet; the revision tells
    return {
        "version": version,
        "pgvector": vector[0] if vector else None,
        "revision": revision,
        "log_position": head,
    }


async def _queue(settings: Settings) -> Findings:
    found: Findings = {"ok": False, "embedded": settings.redis_url is None}
    try:
        url = settings.redis_url
        if url is None:
            _require_started(settings, "valkey")
            url = EmbeddedValkey(settings.data_dir).endpoint().url
        client: Redis = Redis.from_url(url, socket_connect_timeout=3)
        async with client:
            server = await client.info("server")
            memory = await client.config_get("maxmemory-policy")
    except (RedisError, EmbeddedServiceError, OSError) as error:
        found["problem"] = f"does not answer: {str(error).strip()}; start it with `make up`"
        return found
    version = server.get("valkey_version") or server.get("redis_version")
    policy = memory.get("maxmemory-policy")
    found |= {"ok": policy == "noeviction", "version": version, "maxmemory_policy": policy}
    if not found["ok"]:
        found["problem"] = "maxmemory-policy must be noeviction, or jobs can be lost"
    return found


async def _keys(settings: Settings) -> Findings:
    admin, master = settings.admin_key is not None, settings.master_key is not None
    admin_file = secret_files.admin_key_path(settings)
    found: Findings = {
        "ok": admin or (os.access(settings.data_dir, os.X_OK) and admin_file.exists()),
        "admin_key": "AIOS_ADMIN_KEY" if admin else str(admin_file),
        "master_key": "AIOS_MASTER_KEY" if master else str(settings.data_dir / "keys" / "master.key"),
    }
    if not found["ok"]:
        found["problem"] = "no admin key yet; `make up` makes one"
    return found


def _require_started(settings: Settings, service: str) -> None:
    """Raise ServiceStartError when an embedded service has left nothing; looking must not make folders."""
    if not (settings.data_dir / service).exists():
        raise ServiceStartError(f"nothing was ever started in {settings.data_dir}")


async def _providers(settings: Settings) -> Findings:
    def remote(key: str | None, url: str | None, variable: str) -> Findings:
        configured = bool(key or url)
        return {"configured": configured, **({} if configured else {"cure": f"set {variable}"})}

    return {
        "ok": True,
        "default": f"{settings.ai_provider}/{settings.ai_model or '(packaged)'}",
        "local": {"configured": True, "model": str(settings.local_model or "packaged SmolLM2-135M-Instruct")},
        "openai": remote(settings.openai_api_key, settings.openai_base_url, "OPENAI_API_KEY"),
        "anthropic": remote(settings.anthropic_api_key, settings.anthropic_base_url, "ANTHROPIC_API_KEY"),
    }


async def _console(_settings: Settings) -> Findings:
    built = (web_build.destination() / "index.html").exists()
    return {"ok": built, **({} if built else {"problem": "not built yet; run `aios ui build`"})}
