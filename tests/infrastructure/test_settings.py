"""Settings: every wrong value names its variable, and no secret shows."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from infrastructure import secret_files
from infrastructure.settings import Settings, SettingsError, load

KEY = base64.b64encode(bytes(range(32))).decode()


def test_nothing_set_gives_the_defaults_of_the_contract(tmp_path: Path) -> None:
    found = load({}, tmp_path)
    assert (found.host, found.port, found.web_workers, found.worker_processes) == ("127.0.0.1", 8000, 1, 1)
    assert (found.ai_provider, found.ai_model, found.ai_temperature) == ("local", None, 0.7)
    assert (found.database_url, found.redis_url, found.admin_key, found.master_key) == (None,) * 4
    assert found.data_dir == Path.cwd() / ".aios"


def test_the_environment_wins_over_the_file_and_blank_means_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('AIOS_PORT=1000\nAI_MODEL="from the file"\nOPENAI_API_KEY=\n')
    found = load({"AIOS_PORT": "2000", "AI_PROVIDER": "  "}, tmp_path)
    assert (found.port, found.ai_model, found.openai_api_key) == (2000, "from the file", None)
    assert found.ai_provider == "local"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"AIOS_PORT=\xff\xfe")
    with pytest.raises(SettingsError, match=r"^\.env: .* UTF-8"):
        load({}, tmp_path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AIOS_PORT", "-1"),
        ("AIOS_PORT", "65536"),
        ("AIOS_PORT", "\u0661"),
        ("AIOS_PORT", "1e3"),
        ("AIOS_WEB_WORKERS", "0"),
        ("AIOS_WORKER_PROCESSES", "many"),
        ("AIOS_ADMIN_KEY", "secret"),
        ("AIOS_ADMIN_KEY", "sixteen chars plus blanks"),
        ("AIOS_ADMIN_KEY", "s\u00e9cret-s\u00e9cret-s\u00e9cret"),
        ("AIOS_ADMIN_KEY", "x" * 513),
        ("AIOS_MASTER_KEY", KEY[:-4]),
        ("AIOS_MASTER_KEY", "not base64 at all!"),
        ("DATABASE_URL", "sqlite:///secret.db"),
        ("DATABASE_URL", "postgresql://user:secret@[bad"),
        ("REDIS_URL", "http://secret"),
        ("AI_TEMPERATURE", "warm"),
        ("AI_TEMPERATURE", "nan"),
        ("AI_TEMPERATURE", "2.1"),
        ("OPENAI_BASE_URL", "ftp://secret"),
        ("OPENAI_API_KEY", "sk-secret\x00"),
        ("STRIPE_WEBHOOK_SECRET", ","),
        ("STRIPE_WEBHOOK_SECRET", "whsec_secret,,"),
        ("STRIPE_WEBHOOK_SECRET", "a,b,c"),
        ("STRIPE_API_BASE", "stripe.secret"),
        ("AIOS_LOCAL_MODEL", "/no/such/file"),
        ("AIOS_EGRESS", "everything"),
        ("AIOS_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_variable_and_shows_no_value(
    tmp_path: Path, variable: str, value: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load({variable: value}, tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{variable}: ")
    assert "\n" not in message
    assert "secret" not in message
    assert len(value) < 3 or value not in message


def test_secrets_do_not_show_in_the_settings_repr(tmp_path: Path) -> None:
    given = {"AIOS_ADMIN_KEY": "a-secret-of-some-length", "DATABASE_URL": "postgresql://u:secret@h/d"}
    assert "secret" not in repr(load({**given, "OPENAI_API_KEY": "sk-secret"}, tmp_path))


def test_generated_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert secret_files.admin_key(settings) == secret_files.admin_key(settings)
    assert secret_files.master_key(settings) == secret_files.master_key(settings)
    assert len(secret_files.master_key(settings)) == 32
    for name in ("admin.key", "keys/master.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_given_keys_are_used_and_not_written(tmp_path: Path) -> None:
    given = {"AIOS_ADMIN_KEY": "given-admin-key-0123", "AIOS_MASTER_KEY": KEY}
    settings = load({**given, "AIOS_DATA_DIR": str(tmp_path)}, tmp_path)
    assert secret_files.admin_key(settings) == "given-admin-key-0123"
    assert secret_files.master_key(settings) == bytes(range(32))
    assert list(tmp_path.iterdir()) == []


def test_the_seed_of_a_key_depends_on_each_part_and_on_where_it_ends() -> None:
    secrets = secret_files.DerivedSecrets(b"r" * 32)
    seeds = {
        secrets.seed("key", "acme", "c1"),
        secrets.seed("key", "acm", "ec1"),
        secrets.seed("tenant", "acme", "c1"),
        secret_files.DerivedSecrets(b"s" * 32).seed("key", "acme", "c1"),
    }
    assert len(seeds) == 4
    assert secrets.seed("key", "acme", "c1") in seeds
