"""What a request may cost at most, and what its answer has cost: rates of the tables, or a price of one's own."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from llmmigrate.costing.bill import Pieces, bill_cards, place
from llmmigrate.money import EXACT, PER_MILLION
from llmmigrate.prices.cards import Answer, RateCard, Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry
from llmmigrate.shadow.budget import Stake
from llmmigrate.units import INPUT_CLASSES, OUTPUT_CLASSES
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import Profile, ProfileWriter, disjoint_tokens

if TYPE_CHECKING:
    from llmmigrate.config import HardwarePrice

ZERO: Final = Decimal(0)


class Till:
    """Prices the requests of one endpoint, in USD.

    `price` of the settings, where it is not None, stands in for the tables: nothing is billed by the token then.
    """

    def __init__(
        self, catalog: Catalog, provider: str, model: str, *, now: int, price: 'Literal["zero"] | HardwarePrice | None'
    ) -> None:
        self._catalog = catalog
        self._now = now
        self.free = price is not None
        found = catalog.find(provider, model)
        self.entry: Entry | None = None if isinstance(found, Unpriced) else found
        self.unpriced: Unpriced | None = found if isinstance(found, Unpriced) and not self.free else None
        self._provider, self._model = provider, model
        marks = catalog.marks()
        cuts = CutMarks(instants=marks.instants, clocks=marks.clocks, prompt=marks.prompt, output=marks.output)
        self._writer = ProfileWriter(Profile(cuts, ()), Cuts(cuts))
        self._small: dict[str, tuple[Answer, ...]] = {}
        """By service tier: the cards of the smallest requests."""

    @property
    def max_output(self) -> int | None:
        """The most tokens that one reply can have; None where it is not known."""
        return self.entry.max_output if self.entry else None

    @property
    def context_window(self) -> int | None:
        """The most tokens that a prompt can have; None where it is not known."""
        return self.entry.context_window if self.entry else None

    def cost(self, call: Call) -> Decimal | None:
        """USD that a call costs here, None where a rate is missing; the upper bound where the tables leave a choice."""
        if self.free:
            return ZERO
        if self.entry is None or call.usage == "missing":
            return None
        tokens = disjoint_tokens(call)
        pieces: Pieces = {"request": 1, "search": call.searches, "image": call.images}
        bill = bill_cards(self._cards(self.entry, call), tokens, pieces)
        return None if bill.amount is None else self._usd(bill.amount.high, bill.currency)

    def worst(self, call: Call) -> Stake:
        """The most that a request can cost whose prompt and reply have at most the tokens of `call`."""
        tokens = call.input_tokens + call.output_tokens
        if self.free:
            return Stake(ZERO, tokens)
        if self.entry is None:
            return Stake(None, tokens)
        cards = self._cards(self.entry, call)
        # A larger request is not always the dearer: the cards of a small one count, too.
        cards += tuple(card for card in self._small_cards(self.entry, call) if card not in cards)
        costs = [self._worst_at(card, call) for card in cards]
        known = [cost for cost in costs if cost is not None]
        return Stake(max(known) if len(known) == len(costs) else None, tokens)

    def _small_cards(self, entry: Entry, call: Call) -> tuple[Answer, ...]:
        """The cards of a request of the least size; worked out once, as they hang on nothing else of a worst case."""
        if call.service_tier not in self._small:
            small = msgspec.structs.replace(call, input_tokens=1, output_tokens=1)
            self._small[call.service_tier] = self._cards(entry, small)
        return self._small[call.service_tier]

    def _cards(self, entry: Entry, call: Call) -> tuple[Answer, ...]:
        at, prompt, output = place(self._writer.key(call, disjoint_tokens(call)))
        return self._catalog.cards(entry, at=at, as_of=self._now, prompt=prompt, output=output, tier=call.service_tier)

    def _worst_at(self, card: RateCard | Unpriced, call: Call) -> Decimal | None:
        if isinstance(card, Unpriced):
            return None
        into = [card.rates[name] for name in INPUT_CLASSES if name in card.rates]
        out = [card.rates[name] for name in OUTPUT_CLASSES if name in card.rates]
        if not into or (not out and call.output_tokens):  # a model for embeddings has no replies to pay
            return None
        replies = EXACT.multiply(max(out, default=ZERO), call.output_tokens)
        tokens = EXACT.add(EXACT.multiply(max(into), call.input_tokens), replies)
        fee = card.fees.get("request", ZERO)
        whole = EXACT.multiply(EXACT.add(EXACT.scaleb(tokens, PER_MILLION), fee), card.multiplier)
        return self._usd(whole, card.currency)

    def _usd(self, amount: Decimal, currency: str | None) -> Decimal:
        if currency in (None, "USD"):
            return amount
        return self._catalog.convert(amount, str(currency), "USD", self._now)[0]
