"""Two judges that know Stripe from elsewhere: stripe-mock for our parameters, localstripe for its webhooks.

Both are fetched into a folder of their own, and the tests skip with a reason where that is not possible.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import stripe

from application.billing.commands import SetSubscription
from infrastructure.billing.stripe_signature import StripeNotices
from tests.fakes.stripe_server import Seen
from tests.fakes.stripe_webhooks import body_of, signed
from tests.infrastructure.billing.desk import Desk
from tests.product import wait_until

STRIPE_MOCK = "github.com/stripe/stripe-mock@latest"
LOCALSTRIPE = "localstripe==1.15.10"
PATIENCE_S = 300
SECRET = "whsec_of_the_judge"
AUTH = ("sk_test_judge", "")

pytestmark = pytest.mark.slow


def fetched(*command: str, **env: str) -> None:
    """Run a command that fetches something; skips the test when it cannot."""
    try:
        made = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=env or None
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{command[0]} did not finish: {type(error).__name__}")
    if made.returncode:
        pytest.skip(f"{' '.join(command[:4])} failed: {made.stderr.strip()[-200:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], port: int) -> Iterator[httpx.Client]:
    """Run a server and yield a client of it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=AUTH, timeout=30) as client:
            wait_until(lambda: answers(client) or process.poll() is not None, 60)
            assert process.poll() is None, f"{command[0]} ended"
            yield client
    finally:
        process.terminate()
        process.wait(20)


def answers(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/v1/customers").status_code == 200
    return False


@pytest.fixture(scope="module")
def stripe_mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Stripe's own mock: stateless, checks every parameter against the published description."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no go")
    folder = tmp_path_factory.mktemp("stripe-mock")
    fetched(go, "install", STRIPE_MOCK, **{**os.environ, "GOBIN": str(folder), "GOFLAGS": "-mod=mod"})
    port = free_port()
    with serving([str(folder / "stripe-mock"), "-http-addr", f"127.0.0.1:{port}"], port) as client:
        yield client


@pytest.fixture(scope="module")
def localstripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An independent server with state; its package builds only without isolation."""
    folder = tmp_path_factory.mktemp("localstripe")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    fetched(python, "-m", "pip", "install", "-q", "setuptools>=77,<81", "wheel")
    fetched(python, "-m", "pip", "install", "-q", "--no-build-isolation", LOCALSTRIPE)
    port = free_port()
    with serving(
        [str(folder / "bin" / "localstripe"), "--port", str(port), "--from-scratch"], port
    ) as client:
        yield client


async def test_stripes_own_mock_takes_every_request_that_we_send(
    desk: Desk, stripe_mock: httpx.Client
) -> None:
    # given everything that billing ever sends, as it reached the fake
    desk.fake.add_meters("aios_input", "aios_output", "aios_cost_micros")
    await desk.invoiced()
    assert await desk.work()
    await desk.bench.do(
        SetSubscription(plan_id="at-cost", collection="meter_events", remote_prices=("price_1",)),
    )
    desk.bench.now += timedelta(days=40)
    await desk.bench.used(desk.bench.now)
    await desk.report()
    assert await desk.work()
    desk.bench.now += timedelta(days=2)
    await desk.reconcile("nightly")
    assert {seen.path.split("/")[2] for seen in desk.fake.seen} >= {"customers", "invoices", "invoiceitems"}
    # when each is sent to the mock
    refused = await asyncio.to_thread(replayed, stripe_mock, desk.fake.seen)
    # then
    assert refused == []


def replayed(mock: httpx.Client, requests: list[Seen]) -> list[tuple[str, str, str]]:
    """Send requests to the mock; returns what it refuses."""
    refused = []
    for seen in requests:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        path, body = (f"{seen.path}?{seen.form}", "") if seen.method == "GET" else (seen.path, seen.form)
        answer = mock.request(seen.method, path, content=body, headers=headers)
        if answer.status_code != 200:
            refused.append((seen.method, seen.path, answer.text[:300]))
    return refused


def test_webhooks_of_an_independent_server_pass_our_check(localstripe: httpx.Client) -> None:
    with listening() as (url, arrived):
        localstripe.post("/_config/webhooks/judge", json={"url": url, "secret": SECRET, "events": None})
        card = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2099"}
        method = localstripe.post(
            "/v1/payment_methods", data={"type": "card", **card, "card[cvc]": "123"}
        ).json()
        customer = localstripe.post(
            "/v1/customers", data={"name": "t1", "metadata[aios_tenant]": "t1"}
        ).json()
        localstripe.post(f"/v1/payment_methods/{method['id']}/attach", data={"customer": customer["id"]})
        paid = localstripe.post(
            "/v1/payment_intents",
            data={
                "amount": "1234",
                "currency": "usd",
                "customer": customer["id"],
                "payment_method": method["id"],
                "confirm": "true",
            },
        ).json()
        wait_until(lambda: "payment_intent.succeeded" in kinds(arrived), 30, lambda: str(kinds(arrived)))

    assert (customer["metadata"], paid["status"]) == ({"aios_tenant": "t1"}, "succeeded")
    reader, now = StripeNotices(["whsec_other", SECRET]), datetime.now(UTC)
    notices = [reader.read(body, signature, now) for body, signature in arrived]
    assert {n.object_id for n in notices if n.kind == "customer.created"} == {customer["id"]}
    for body, signature in arrived:
        with pytest.raises(Exception, match="Stripe-Signature"):
            reader.read(body + b" ", signature, now)


def test_the_sdk_takes_the_signatures_of_the_fake() -> None:
    body = body_of({"id": "evt_1", "object": "event", "type": "x", "created": 1, "data": {"object": {}}})
    header = signed(body, SECRET, datetime.now(UTC).timestamp())
    found = stripe.StripeClient("sk_test").construct_event(body, header, SECRET)
    assert found.id == "evt_1"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.StripeClient("sk_test").construct_event(body + b" ", header, SECRET)


def kinds(arrived: list[tuple[bytes, str]]) -> list[str]:
    return [json.loads(body)["type"] for body, _ in arrived]


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """Collect what is posted: bodies and signatures."""
    arrived: list[tuple[bytes, str]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.append((body, self.headers["stripe-signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", arrived
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
