"""Plans: what cannot be published is told where it stands."""

from __future__ import annotations

import pytest

from domain.billing.plan import Charge, Tier, check_plan
from domain.billing.plan_aggregate import BillingPlan
from domain.kernel.errors import InvalidInput, NotFound
from tests.domain.billing.world import JAN, per_unit, plan


def tiers(*bounds: int | None) -> Charge:
    return Charge(
        charge_id="t",
        name="T",
        pricing="graduated",
        tiers=tuple(Tier(up_to=b, nanos_per_mtok=1) for b in bounds),
    )


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        (plan(currency="XXX"), "/currency"),
        (plan(plan_id="Not Good"), "/plan_id"),
        (plan(plan_id="at-cost"), "/plan_id"),
        (plan(base_fee_minor=-1), "/base_fee"),
        (plan(minimum_minor=-1), "/minimum"),
        (plan(included_tokens=-1), "/included_tokens"),
        (plan(usd_rate_micros=0), "/usd_rate"),
        (plan(per_unit(), per_unit()), "/charges/1/charge_id"),
        (plan(per_unit(models=())), "/charges/0/models"),
        (plan(per_unit(models=("a*b",))), "/charges/0/models/0"),
        (plan(per_unit(token_classes=())), "/charges/0/token_classes"),
        (plan(per_unit(price="-1")), "/charges/0/price_per_mtok"),
        (plan(tiers()), "/charges/0/tiers"),
        (plan(tiers(5)), "/charges/0/tiers/0/up_to"),
        (plan(tiers(None, None)), "/charges/0/tiers/0/up_to"),
        (plan(tiers(10, 10, None)), "/charges/0/tiers/1/up_to"),
        (plan(tiers(10, 5, None)), "/charges/0/tiers/1/up_to"),
        (plan(per_unit(tiers=(Tier(nanos_per_mtok=1),))), "/charges/0/tiers"),
    ],
)
def test_unusable_plans_name_the_field(terms, pointer):
    with pytest.raises(InvalidInput) as refused:
        check_plan(terms)
    assert (
        pointer in [error.pointer for error in refused.value.errors]
        or refused.value.errors[0].pointer == pointer
    )


def test_versions_count_up_and_a_private_offer_is_for_one_tenant():
    found = BillingPlan.blank("default/billing-plan/pro", JAN)
    found.publish(plan(version=0), None, JAN)
    found.publish(plan(version=0), "acme", JAN)

    assert found.terms_for("acme", "pro").version == 2
    with pytest.raises(NotFound):
        found.terms_for("other", "pro")


def test_the_plan_at_cost_is_built_in():
    assert BillingPlan.blank("default/billing-plan/at-cost", JAN).terms_for("any", "at-cost").version == 1
