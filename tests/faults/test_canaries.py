"""After a purge no file of the installation holds anything of the person; an old backup serves nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.faults.canaries import hits, mark
from tests.faults.upstream_process import upstream_process
from tests.product import Product, product_in, wait_until

pytestmark = pytest.mark.slow
API = "/api/ai-advanced"
CHAT = "/v1/chat/completions"
PERSON, NEIGHBOUR = mark(), mark()


@dataclass
class Planted:
    """What was planted for a person, and the words to look for."""

    words: list[str] = field(default_factory=list)
    memories: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def word(self, place: str) -> str:
        """Return a new word that holds the person's mark, as every word planted for them does."""
        self.words.append(f"{self.words[0]}{place}{len(self.words)}q")
        return self.words[-1]


def plant(client: httpx.Client, person: str) -> Planted:
    """Leave traces of a person everywhere that the product keeps any."""
    planted = Planted([person])
    for number in range(30):
        body = {
            "content": f"{planted.word('content')} likes tea and {planted.word('second')} number {number}",
            "subject_id": person,
            "user_id": planted.word("user"),
            "session_id": planted.word("session"),
            "metadata": {planted.word("key"): planted.word("value")},
        }
        headers = {"idempotency-key": f"{person}-{number}"} if number < 3 else {}
        added = answered(client.post(f"{API}/memory", json=body, headers=headers))
        planted.memories.append(added["id"])
    changed = {"content": planted.word("changed")}
    answered(client.patch(f"{API}/memory/{planted.memories[0]}", json=changed))
    answered(client.delete(f"{API}/memory/{planted.memories[1]}"))
    search = {"query": planted.words[1], "filters": {"subject_id": person}}
    answered(client.post(f"{API}/memory/search", json=search, headers={"idempotency-key": f"s-{person}"}))
    answered(client.post(f"{API}/memory/export", json={"subject_id": person}))
    for number in range(3):
        planted.requests.append(ask(client, person, planted.word("prompt"), number))
    rating = {"request_id": planted.requests[0], "score": 1, "comment": planted.word("comment")}
    answered(client.post(f"{API}/feedback", json=rating))
    return planted


def ask(client: httpx.Client, person: str, word: str, number: int) -> str:
    body = {
        "model": "fake/echo",
        "messages": [{"role": "user", "content": f"Tell me of {word}"}],
        "user": person,
    }
    headers = {"x-aios-user": person, "idempotency-key": f"chat-{person}-{number}"}
    answer = client.post(CHAT, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def answered(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def set_up(client: httpx.Client, upstream: str) -> None:
    """Register a provider, and let the workspace keep prompts and answers."""
    provider = {
        "name": "fake",
        "dialect": "openai",
        "base_url": f"{upstream}/v1",
        "api_key": "k",
        "models": [],
    }
    answered(client.post(f"{API}/providers", json=provider))
    policy = {
        "workspace_id": "default",
        "rules": [{"segment": "*", "provider": "fake", "model": "echo", "latency_budget_ms": None}],
        "fallback_strategy": "order",
        "auto_fallback_enabled": True,
        "record_content": True,
    }
    answered(client.post(f"{API}/model-policy/set", json=policy))


def purge(client: httpx.Client, **selector: str) -> Any:
    """Purge, and follow it when the machine is so busy that the answer does not wait for its end."""
    body = {"reason": "erasure request", **selector}
    done = answered(client.request("DELETE", f"{API}/memory/purge", json=body))
    path = f"{API}/memory/purges/{done['purge_id']}"
    wait_until(lambda: answered(client.get(path))["status"] == "completed", 300)
    return answered(client.get(path)) | {"certificate_url": f"{path}/certificate"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with upstream_process() as url:
        yield url


def test_no_file_holds_anything_of_a_purged_person_and_an_old_backup_serves_nothing(
    tmp_path: Path, upstream: str
) -> None:
    product = product_in(tmp_path / "d", AIOS_LOG_LEVEL="INFO")
    try:
        product.start()
        with product.client() as client:
            set_up(client, upstream)
            erased, kept = plant(client, PERSON), plant(client, NEIGHBOUR)
            before = [client.get(f"{API}/memory/{each}").content for each in kept.memories[2:]]
        product.stop()
        assert hits(product.data_dir, erased.words[:1])  # the search finds what is there
        shutil.copytree(product.data_dir / "postgres" / "data", tmp_path / "backup", symlinks=True)
        product.start()
        # when
        with product.client() as client:
            done = purge(client, subject_id=PERSON)
            # then nothing is served, and the neighbour's is as it was
            assert done["status"] == "completed"
            certificate = client.get(done["certificate_url"]).json()
            check_served(client, erased, found=False)
            check_served(client, kept, found=True)
            after = [client.get(f"{API}/memory/{each}").content for each in kept.memories[2:]]
            assert after == before
        check_certificate(product, certificate, tmp_path)
        check_replay(product, erased)
        product.stop()
        assert hits(product.data_dir, erased.words[:1]) == []
        assert hits(product.data_dir, kept.words[:1])
        assert leaked(product.log, erased.words) == []
        check_restored(product, tmp_path / "backup", erased, done["purge_id"])
    finally:
        if product.process is not None and product.process.poll() is None:
            product.stop()


def check_restored(product: Product, backup: Path, erased: Planted, purge_id: str) -> None:
    """When a backup from before comes back, it is erased again before anything is served."""
    restore(product, backup)
    product.start()
    with product.client() as client:
        check_served(client, erased, found=False)
        again = answered(client.get(f"{API}/memory/purges/{purge_id}"))
        assert (again["status"], again["origin"]) == ("completed", "ledger")
    product.stop()
    assert hits(product.data_dir, erased.words[:1]) == []


def check_served(client: httpx.Client, planted: Planted, *, found: bool) -> None:
    """Ask for everything that was planted in every way there is."""
    statuses = {client.get(f"{API}/memory/{each}").status_code for each in planted.memories[2:]}
    assert statuses == ({200} if found else {404})
    answers = [
        client.get(f"{API}/memory?subject_id={planted.words[0]}"),
        client.get(f"{API}/memory?limit=500"),
        client.post(f"{API}/memory/search", json={"query": planted.words[1], "limit": 50}),
        client.get(f"{API}/requests?limit=500"),
        client.get(f"{API}/audit/events?limit=500&reveal=true"),
        client.get(f"{API}/audit/events?limit=500&reveal=true&order=desc"),
        client.get(f"{API}/usage/breakdown?by=user"),
        client.get(f"{API}/memory/audit-logs?limit=500"),
        client.get(f"{API}/memory/purges"),
    ]
    texts = "\n".join(answer.text for answer in answers)
    assert any(word in texts for word in planted.words) is found
    exported = client.post(f"{API}/memory/export", json={"subject_id": planted.words[0]}).text
    said = [word for word in planted.words[1:] if word in exported]
    assert bool(said) is found


def check_certificate(product: Product, certificate: dict[str, Any], folder: Path) -> None:
    """Verify it from the command line, unchanged and changed."""
    file = folder / "certificate.json"
    file.write_text(json.dumps(certificate))
    assert product.cli("audit", "certificate", "verify", str(file)).returncode == 0
    file.write_text(json.dumps({**certificate, "tenant": "another"}))
    assert product.cli("audit", "certificate", "verify", str(file)).returncode == 1
    assert product.cli("audit", "certificate", "verify", str(folder / "none")).returncode == 2
    assert certificate["stores"]["memories"]["found"] == 29
    assert certificate["stores"]["requests"]["found"] == 3
    assert certificate["stores"]["idempotent_answers"]["found"] == 7
    assert all(store["left"] == 0 for store in certificate["stores"].values())
    assert certificate["keys"]["opened"] == 0


def check_replay(product: Product, erased: Planted) -> None:
    """The log verifies, and read models rebuilt from its beginning hold nothing of it."""
    verified = product.cli("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    for name in ("memories", "usage"):
        assert product.cli("projections", "rebuild", name).returncode == 0
    doctor = json.loads(product.cli("doctor", "--json").stdout)
    with psycopg.connect(doctor["database"]["admin_dsn"]) as conn:
        left = conn.execute("SELECT count(*) FROM memories WHERE memory_id = ANY(%s)", [erased.memories])
        assert left.fetchone() == (0,)
        names = conn.execute("SELECT name FROM usage_users").fetchall()
    assert names == [(NEIGHBOUR,)]


def restore(product: Product, backup: Path) -> None:
    """Put an old copy of the database's files in the place of the present ones."""
    data = product.data_dir / "postgres" / "data"
    owner = data.stat()
    shutil.rmtree(data)
    shutil.copytree(backup, data, symlinks=True)
    for path in (data, *data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    data.chmod(0o700)


def leaked(log: Path, words: list[str]) -> list[str]:
    """Return the words in what the product printed."""
    return [word for word in words if word in log.read_text(errors="replace")]
