"""Two tenants, whatever they do: nothing of one shows to the other, over HTTP or by SQL as aios_app."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from interfaces.http.app import PREFIX
from tests.interfaces.http.conftest import Backing
from tests.interfaces.http.product import ADMIN_KEY

MARKS = ("quokka", "axolotl")
WORDS = st.sampled_from(("tea", "coffee", "lisbon", "invoice", "blue", "train"))
PEOPLE = st.sampled_from(("anna", "bert"))
ACTS = st.lists(
    st.tuples(
        st.sampled_from((0, 1)),
        st.sampled_from(("add", "add", "update", "delete", "policy", "search")),
        st.lists(WORDS, min_size=1, max_size=4),
        PEOPLE,
    ),
    min_size=4,
    max_size=12,
)
OF_OTHERS = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
WHERE c.relkind IN ('r', 'p', 'v') AND c.relnamespace = 'public'::regnamespace
AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1
"""


class Tenant:
    """A tenant whose every text holds its mark, and the ids of what it added."""

    def __init__(self, client: httpx.Client, mark: str) -> None:
        self.client = client
        self.mark = mark
        self.name = f"t-{mark}-{secrets.token_hex(3)}"
        body = {"tenant_id": self.name, "name": mark}
        made = client.post(f"{PREFIX}/tenants", json=body, headers={"x-api-key": ADMIN_KEY})
        self.headers = {"x-api-key": made.json()["admin_key"]}
        self.ids: list[str] = []

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.client.request(method, PREFIX + path, headers=self.headers, timeout=60, **options)
        assert answer.status_code < 500, answer.text
        return answer

    def act(self, what: str, words: list[str], person: str) -> None:
        text = f"{self.mark} {' '.join(words)}"
        if what == "add":
            body = {"content": text, "user_id": person, "metadata": {"mark": self.mark}}
            self.ids.append(self.ask("POST", "/memory", json=body).json()["id"])
        elif what == "update" and self.ids:
            self.ask("PATCH", f"/memory/{self.ids[-1]}", json={"content": text})
        elif what == "delete" and self.ids:
            self.ask("DELETE", f"/memory/{self.ids.pop()}")
        elif what == "policy":
            self.ask("POST", "/memory/policy", json={"category": f"{self.mark}s", "ttl_days": len(words)})

    def seen(self, words: list[str], person: str) -> str:
        """Everything the tenant can read, as one text."""
        asked = " ".join((*MARKS, *words))
        query: dict[str, Any] = {"query": asked, "limit": 100}
        answers = [
            self.ask("POST", "/memory/search", json=query),
            self.ask("POST", "/memory/search", json={**query, "filters": {"user_id": person}}),
            self.ask("GET", "/memory", params={"limit": 500}),
            self.ask("GET", "/memory/policy"),
            self.ask("GET", "/audit/events", params={"limit": 500}),
            *(self.ask("GET", f"/memory/{memory_id}") for memory_id in self.ids[-3:]),
        ]
        return "\n".join(answer.text.replace(asked, "") for answer in answers)


@pytest.fixture(scope="module")
def tenants(product_url: str) -> Iterator[tuple[Tenant, Tenant]]:
    with httpx.Client(base_url=product_url, timeout=60) as client:
        yield Tenant(client, MARKS[0]), Tenant(client, MARKS[1])


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=ACTS)
def test_nothing_of_one_tenant_shows_to_the_other(
    tenants: tuple[Tenant, Tenant], backing: Backing, acts: list[tuple[int, str, list[str], str]]
) -> None:
    # given anything that two tenants do
    for who, what, words, person in acts:
        tenants[who].act(what, words, person)
    for mine, other in (tenants, tenants[::-1]):
        # then no answer holds the other's mark
        assert other.mark not in mine.seen(acts[0][2], acts[0][3])
        # and the other's memories cannot be read, changed or deleted by their ids
        for memory_id in other.ids[-2:]:
            for method in ("GET", "PATCH", "DELETE"):
                body = {"json": {"content": "x"}} if method == "PATCH" else {}
                assert mine.ask(method, f"/memory/{memory_id}", **body).status_code == 404
        assert rows_of_others(backing, mine.name) == {}


def rows_of_others(backing: Backing, tenant: str) -> dict[str, int]:
    """Count, as the application's role in one tenant, rows that belong to others, in every relation."""
    found: dict[str, int] = {}
    with psycopg.connect(backing[0].app_dsn) as conn:
        conn.execute("SELECT set_config('aios.tenant', %s, true)", [tenant])
        names = [row[0] for row in conn.execute(OF_OTHERS).fetchall()]
        assert {"memories", "memory_vectors", "memory_policies", "events"} <= set(names)
        for name in names:
            query = sql.SQL("SELECT count(*) FROM {} WHERE tenant <> %s").format(sql.Identifier(name))
            (count,) = conn.execute(query, [tenant]).fetchone() or (0,)
            if count:
                found[name] = count
    return found
