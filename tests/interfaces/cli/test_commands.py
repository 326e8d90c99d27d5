"""The command line beside the running product: what each command prints and how it ends."""

from __future__ import annotations

import json
import os
import secrets

import psycopg
import pytest

from interfaces.cli.main import aios
from tests.interfaces.cli.conftest import Commands
from tests.product import Product, run_cli

COMMANDS = {
    "up", "serve", "worker", "scheduler", "project", "outbox", "projections", "audit", "keys", "tenants",
    "doctor", "ui", "demo", "migrate",
}  # fmt: skip


@pytest.fixture(scope="module")
def tenant(product: Product) -> str:
    """A tenant of this module."""
    name = f"cli-{secrets.token_hex(3)}"
    done = product.cli("tenants", "create", name, "--name", "From the command line", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tenant_id"] == name
    return name


def status_of(product: Product, key: str) -> int:
    with product.client(key) as client:
        return client.get("/api/ai-advanced/model-policy", params={"workspace_id": "none"}).status_code


def test_every_command_of_the_contract_is_there_and_explains_itself() -> None:
    assert set(aios.commands) >= COMMANDS
    for name, command in aios.commands.items():
        assert command.help, name
        for below in getattr(command, "commands", {}).values():
            assert below.help, f"{name} {below.name}"


def test_wrong_use_ends_with_status_2(cli: Commands) -> None:
    for arguments in (["nonsense"], ["keys", "create"], ["projections", "rebuild"], ["serve", "--fd", "x"]):
        done = cli(*arguments)
        assert (done.status, done.out) == (2, ""), arguments
        assert "Usage:" in done.err


def test_a_wrong_setting_ends_with_status_2_and_one_line_that_names_it(cli: Commands) -> None:
    done = cli("keys", "list", AIOS_PORT="many")
    assert done.status == 2
    assert done.err == "aios: AIOS_PORT: must be a whole number from 0 to 65535\n"


def test_doctor_gives_the_database_to_operators(cli: Commands) -> None:
    found = cli.json("doctor")
    assert found["ok"] is True
    assert {"database", "queue", "keys", "providers", "console"} <= set(found)
    with psycopg.connect(found["database"]["dsn"]) as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("aios_app",)
    with psycopg.connect(found["database"]["admin_dsn"]) as conn:
        assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
            True,
        )
    plain = cli("doctor")
    assert plain.status == 0
    assert "database" in plain.out


def test_doctor_shows_no_key_of_a_provider(cli: Commands) -> None:
    done = cli("doctor", "--json", OPENAI_API_KEY="sk-secret-of-the-operator")
    assert json.loads(done.out)["providers"]["openai"]["configured"] is True
    assert "sk-secret-of-the-operator" not in done.out + done.err


def test_a_key_works_at_once_when_made_and_stops_at_once_when_revoked(
    product: Product, cli: Commands, tenant: str
) -> None:
    made = cli.json("keys", "create", "from-cli", "--role", "auditor", "--tenant", tenant)
    assert status_of(product, made["key"]) == 404
    listed = cli.json("keys", "list", "--tenant", tenant)
    assert [key["status"] for key in listed if key["key_id"] == made["key_id"]] == ["active"]
    assert made["key"] not in json.dumps(listed)

    cli.json("keys", "revoke", made["key_id"], "--tenant", tenant)

    assert status_of(product, made["key"]) == 401
    listed = cli.json("keys", "list", "--tenant", tenant)
    assert [key["status"] for key in listed if key["key_id"] == made["key_id"]] == ["revoked"]


def test_commands_of_the_api_do_not_wait_for_a_command_line_that_has_ended(
    cli: Commands, tenant: str
) -> None:
    cli.json("keys", "create", "one", "--role", "service", "--tenant", tenant)
    with psycopg.connect(cli.json("doctor")["database"]["admin_dsn"]) as conn:
        nodes = conn.execute("SELECT count(*) FROM nodes WHERE seen_at > now() - interval '10 s'").fetchone()
    assert nodes == (1,)


def test_what_is_refused_says_why_on_one_line(product: Product, cli: Commands, tenant: str) -> None:
    for arguments, part in (
        (["keys", "create", "x", "--role", "king", "--tenant", tenant], "roles"),
        (["keys", "revoke", "nokey", "--tenant", tenant], "nokey"),
        (["keys", "create", "x", "--role", "admin", "--tenant", "nobody-here"], "nobody-here"),
        (["tenants", "create", tenant], tenant),
        (["tenants", "create", "Not A Tenant"], "tenant_id"),
        (["projections", "rebuild", "nothing"], "nothing"),
    ):
        done = cli(*arguments)
        assert done.status in {1, 2}, arguments
        assert part in done.err, done.err
        assert "Traceback" not in done.err


def test_tenants_are_listed_with_the_new_one(product: Product, cli: Commands, tenant: str) -> None:
    assert tenant in [each["tenant_id"] for each in cli.json("tenants", "list")]
    assert tenant in cli("tenants", "list").out


def test_a_read_model_is_rebuilt_and_rolled_back_beside_the_product(
    product: Product, cli: Commands, tenant: str
) -> None:
    def generation() -> int:
        listed = cli.json("projections", "list")
        return next(int(each["generation"]) for each in listed if each["name"] == "tenancy")

    before = generation()
    assert cli.json("projections", "rebuild", "tenancy")["generation"] == before + 1
    assert tenant in [each["tenant_id"] for each in cli.json("tenants", "list")]
    assert cli.json("projections", "rollback", "tenancy")["generation"] == before
    assert generation() == before
    cli.json("projections", "retry", "tenancy")
    assert product.healthy()


def test_the_log_is_verified_and_exported_beside_the_product(
    product: Product, cli: Commands, tenant: str
) -> None:
    report = cli.json("audit", "verify")
    assert report["ok"] is True
    assert report["events"] == report["head"] > 0
    exported = cli("audit", "export", "--tenant", tenant)
    assert exported.status == 0
    events = [json.loads(line) for line in exported.out.splitlines()]
    assert {event["tenant"] for event in events} == {tenant}
    assert "tenancy.tenant_created" in {event["type"] for event in events}


def test_migrate_says_where_the_schema_is(cli: Commands) -> None:
    assert cli.json("migrate")["revision"] == cli.json("doctor")["database"]["revision"]


def test_doctor_without_a_product_says_what_is_missing_and_fails(tmp_path) -> None:
    done = run_cli("doctor", "--json", env={"AIOS_DATA_DIR": str(tmp_path / "nothing"), "PATH": os.defpath})
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["ok"] is False
    assert "make up" in found["database"]["problem"]
