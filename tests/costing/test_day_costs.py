"""What a projection adds up, day by day, is what the calls cost today."""

import math
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.costing.test_bill_exact import AS_OF, CATALOG, CUTS, calls, profile_of

from llmmigrate.costing.estimate import Estimator
from llmmigrate.costing.whatif import Conditions
from llmmigrate.money import exact
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.call import Call

AFTER_ALL = AS_OF + 400 * 86_400


def dated(call: Call) -> Call:
    return replace(call, start_ns=call.start_ns or AS_OF * NANOSECONDS)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(calls().map(dated), min_size=1, max_size=6), st.booleans())
def test_the_days_add_up_to_todays_cost(some: list[Call], logged: bool) -> None:
    estimator = Estimator(profile_of(some, CUTS), CATALOG, Conditions(AS_OF, logged=logged))
    with exact():
        priced = [(known.amount, known.currency) for _, _, known in estimator.today() if known is not None]
        whole = sum((estimator.convert(amount.middle, currency) for amount, currency in priced), Decimal(0))
    assert math.isclose(float(whole), sum(estimator.day_costs(AFTER_ALL).values()), rel_tol=1e-9, abs_tol=1e-12)


def test_searches_are_in_it() -> None:
    """A search at 0.01 USD costs more than most prompts, and was once left out."""
    call = Call(start_ns=AS_OF * NANOSECONDS, provider="anthropic", model="claude-sonnet-4-5", searches=3)
    days = Estimator(profile_of([call], CUTS), CATALOG, Conditions(AS_OF)).day_costs(AFTER_ALL)
    assert math.isclose(0.03, sum(days.values()))
