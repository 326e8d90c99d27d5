"""The fake Stripe's objects have the fields that Stripe's own types have, and its rules for keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from stripe import Customer, Event, Invoice, InvoiceItem, InvoiceLineItem
from stripe.billing import Meter, MeterEvent, MeterEventSummary

from tests.fakes import stripe_shapes as shapes
from tests.fakes.stripe_server import KEY, FakeStripe, decoded, running_stripe

NOW = 1_767_225_600
ITEM = shapes.invoice_item(
    "ii_1", NOW, {"amount": "5", "currency": "usd", "customer": "cus_1", "invoice": "in_1"}
)
SHAPES: list[tuple[type[Any], dict[str, Any]]] = [
    (Customer, shapes.customer("cus_1", NOW, {})),
    (Invoice, shapes.invoice("in_1", NOW, {"currency": "usd", "customer": "cus_1"})),
    (InvoiceItem, ITEM),
    (InvoiceLineItem, shapes.line_of("il_1", ITEM)),
    (Event, shapes.event("evt_1", NOW, "invoice.paid", {})),
    (Meter, shapes.meter("mtr_1", NOW, "aios_input")),
    (
        MeterEvent,
        shapes.meter_event(NOW, {"event_name": "e", "identifier": "i", "payload": {}, "timestamp": "1"}),
    ),
    (MeterEventSummary, shapes.meter_summary("mtrusg_1", "mtr_1", NOW, NOW, 1.0)),
]


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with running_stripe() as running:
        yield running


@pytest.fixture
def client(fake: FakeStripe) -> Any:
    return stripe.StripeClient(KEY, base_addresses={"api": fake.url}, http_client=stripe.UrllibClient()).v1


@pytest.mark.parametrize(("cls", "values"), SHAPES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_fake_object_has_every_required_field_and_none_of_its_own(
    cls: type[Any], values: dict[str, Any]
) -> None:
    known = {name: str(hint) for name, hint in cls.__annotations__.items() if name.islower()}
    required = {name for name, hint in known.items() if "Optional[" not in hint and name != "deleted"}

    assert set(values) <= set(known)
    assert required <= set(values)


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("a=1&metadata[x]=y", {"a": "1", "metadata": {"x": "y"}}),
        ("items[0][price]=p&items[1][price]=q", {"items": [{"price": "p"}, {"price": "q"}]}),
    ],
)
def test_forms_are_decoded_as_stripe_writes_them(form: str, values: dict[str, Any]) -> None:
    assert decoded(form) == values


def test_the_same_key_and_parameters_are_answered_the_same_without_a_second_effect(
    client: Any, fake: FakeStripe
) -> None:
    first = client.customers.create({"name": "a"}, {"idempotency_key": "k"})
    again = client.customers.create({"name": "a"}, {"idempotency_key": "k"})

    assert (first.id, fake.replayed, len(fake.of("customer"))) == (again.id, 1, 1)
    with pytest.raises(stripe.IdempotencyError):
        client.customers.create({"name": "b"}, {"idempotency_key": "k"})


def test_a_key_in_use_is_a_conflict(client: Any, fake: FakeStripe) -> None:
    fake.hold_key("k", "POST", "/v1/customers", {"name": "a"})
    with pytest.raises(stripe.APIError) as refused:
        client.customers.create({"name": "a"}, {"idempotency_key": "k"})
    assert refused.value.http_status == 409


def test_unknown_parameters_things_and_keys_are_refused(client: Any, fake: FakeStripe) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: colour"):
        client.customers.create({"colour": "red"})
    with pytest.raises(stripe.InvalidRequestError, match="No such invoice"):
        client.invoices.retrieve("in_none")
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: invoice"):
        client.invoice_items.create({"customer": "cus_1"})
    other = stripe.StripeClient(
        "sk_wrong", base_addresses={"api": fake.url}, http_client=stripe.UrllibClient()
    )
    with pytest.raises(stripe.AuthenticationError):
        other.v1.customers.list()


def test_lists_come_in_pages(client: Any) -> None:
    made = [client.customers.create({"name": "a"}).id]
    customer = made[0]
    invoices = [client.invoices.create({"customer": customer, "currency": "usd"}).id for _ in range(5)]
    listed = client.invoices.list({"customer": customer, "limit": 2})
    assert listed.has_more
    assert [found.id for found in listed.auto_paging_iter()] == invoices[::-1]
