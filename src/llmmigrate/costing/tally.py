"""Running sums of a group of calls while a profile is analysed."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date

import msgspec

from llmmigrate.costing.alike import Cells
from llmmigrate.costing.bill import Amount, CellBill, Purse, whole_rates
from llmmigrate.usage.profile import Cell, CellKey, SizeSketches


class Tally(msgspec.Struct):
    """Running sums of a group."""

    calls: int = 0
    logical: int = 0
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    tokens: list[int] = msgspec.field(default_factory=lambda: [0] * 8)
    priced: int = 0
    unpriced: int = 0
    missing: int = 0
    priced_tokens: int = 0
    cost: Purse = msgspec.field(default_factory=Purse)
    failed: Purse = msgspec.field(default_factory=Purse)
    logged_cost: int = 0
    logged_calls: int = 0
    days: dict[date, Purse] = msgspec.field(default_factory=dict)
    sketches: SizeSketches = msgspec.field(default_factory=SizeSketches)

    def add(self, key: CellKey, cell: Cell, bill: CellBill) -> None:
        """Add a priced cell."""
        self.calls += cell.calls
        self.logical += cell.logical
        for name, count in (cell.errors or {}).items():
            self.errors[name] = self.errors.get(name, 0) + count
        self.tokens = [a + b for a, b in zip(self.tokens, cell.tokens, strict=True)]
        self.logged_cost += cell.logged_cost
        self.logged_calls += cell.logged_calls
        self._add_bill(key, cell, bill)

    def add_days(self, cells: Cells, total: Cell, bill: CellBill, day_of: Callable[[CellKey], date]) -> None:
        """Share the bill of cells, `total` together, out to their days, exactly.

        They are more than one only where a single card bills them all.
        """
        if bill.currency is None:
            return
        if len(cells) == 1:
            self.on(day_of(cells[0][0])).add(bill)
            return
        rates = whole_rates(bill.cards[0])
        held = [i for i, count in enumerate(total.tokens) if count]
        days: defaultdict[date, list[Cell]] = defaultdict(list)
        for key, cell in cells:
            days[day_of(key)].append(cell)
        for day, parts in days.items():
            amount = rates.amount(rates.cost(parts, held))
            self.on(day).put(Amount(amount, amount), bill.currency)

    def on(self, day: date) -> Purse:
        """What the calls of a day cost so far."""
        purse = self.days.get(day)
        if purse is None:
            purse = self.days[day] = Purse()
        return purse

    def merge(self, other: "Tally") -> None:
        """Add another tally's sums; sketches are left to the caller."""
        for name in (
            "calls",
            "logical",
            "priced",
            "unpriced",
            "missing",
            "priced_tokens",
            "logged_cost",
            "logged_calls",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for error, count in other.errors.items():
            self.errors[error] = self.errors.get(error, 0) + count
        self.tokens = [a + b for a, b in zip(self.tokens, other.tokens, strict=True)]
        self.cost.merge(other.cost)
        self.failed.merge(other.failed)
        for day, purse in other.days.items():
            self.on(day).merge(purse)

    def _add_bill(self, key: CellKey, cell: Cell, bill: CellBill) -> None:
        if key.usage == "missing" and key.billing != "gateway_hit":
            self.missing += cell.calls if key.billing == "billed" else 0
            return
        if bill.amount is None:
            self.unpriced += cell.calls
            return
        self.priced += cell.calls
        self.priced_tokens += sum(cell.tokens)
        self.cost.add(bill)
        if key.billing == "failed_billed":
            self.failed.add(bill)
