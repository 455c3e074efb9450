"""What a machine's tokens cost: a floor from the data sheet, what others measured, what was measured here.

Rates are of all devices of a plan together. A floor is physics and computed in floats; money is Decimal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, Literal

from llmmigrate.prices.self_hosted import SelfHosted, Throughput
from llmmigrate.serving.catalogue import Model, models
from llmmigrate.serving.engines import load_engine
from llmmigrate.serving.fit import Choice
from llmmigrate.serving.memory import kv_bytes_read

HOURS_A_MONTH: Final = Decimal("730.5")
"""A twelfth of 365.25 days, as in projections."""
FLOOR_INPUT: Final = 8192
FLOOR_OUTPUT: Final = 1024
FLOOR_CONCURRENCY: Final = 64

_MILLION: Final = Decimal(1_000_000)
_SIX: Final = Context(prec=6, rounding=ROUND_HALF_EVEN)
_THREE: Final = Context(prec=3, rounding=ROUND_HALF_EVEN)

Basis = Literal["floor", "published", "measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Tokens a second, and under which load."""

    basis: Basis
    label: str
    source: str
    engine: str | None = None
    concurrency: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_per_second: Decimal | None = None
    """While output is made at `output_per_second`."""
    output_per_second: Decimal | None = None
    tokens_per_second: Decimal | None = None
    alone_input_per_second: Decimal | None = None
    """Input tokens a second if nothing else is done; known only where it was measured apart."""
    alone_output_per_second: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD for one GPU and one hour, and who says so."""

    usd: Decimal
    source: str


def per_million(hourly: Decimal, per_second: Decimal | None) -> Decimal | None:
    """What a million tokens cost at a rate, when the machine does nothing else; six significant digits."""
    if not per_second:
        return None
    return _SIX.divide(hourly * _MILLION, per_second * 3600)


def published_rates(choice: Choice, table: SelfHosted) -> list[Rate]:
    """What others measured with this shape of model, precision and hardware, the most requests at a time first."""
    shape = models()[choice.model].shape if choice.model in models() else None
    found = [entry for entry in table.throughputs if shape is not None and _is_alike(entry, choice, shape)]
    found.sort(key=lambda entry: (-(entry.concurrency or 0), entry.source))
    return [_published(entry) for entry in found]


def _is_alike(entry: Throughput, choice: Choice, shape: object) -> bool:
    same_machine = entry.hardware == choice.pool.name and entry.count == choice.pool.count
    known = models().get(entry.model)
    return (
        same_machine and entry.precision == choice.checkpoint.precision and known is not None and known.shape == shape
    )


def _published(entry: Throughput) -> Rate:
    return Rate(
        basis="published",
        label=f"{entry.model} on {entry.engine}",
        source=entry.source,
        engine=entry.engine,
        concurrency=entry.concurrency,
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        input_per_second=entry.input_per_second,
        output_per_second=entry.output_per_second,
        tokens_per_second=entry.tokens_per_second or _sum(entry.input_per_second, entry.output_per_second),
    )


def _sum(a: Decimal | None, b: Decimal | None) -> Decimal | None:
    return None if a is None or b is None else a + b


def floor_rate(choice: Choice, model: Model) -> Rate | None:
    """The most that the data sheet allows; None where bandwidth or speed of the hardware is not known.

    A step reads every weight that it touches once and each request's cache; input and output take two operations a
    parameter and token. The larger of the two times counts, as if everything else were free: docs/serving.md.
    """
    hardware = choice.pool.hardware
    speed = hardware.tflops(choice.checkpoint.precision) if hardware is not None else None
    if hardware is None or hardware.bandwidth_gb_s is None or hardware.speed_source is None or speed is None:
        return None
    operations = 1e12 * speed * choice.pool.count
    held = max(1, choice.sequences(FLOOR_INPUT + FLOOR_OUTPUT))
    batch = min(FLOOR_CONCURRENCY, held)
    drafted = 1 + choice.draft_tokens
    step = _step_bytes(choice, model, batch, drafted) / (hardware.bandwidth_gb_s * 1e9)
    memory = FLOOR_OUTPUT * step / (batch * drafted)
    compute = 2 * model.shape.active * (FLOOR_INPUT + FLOOR_OUTPUT) / operations
    output = Decimal(repr(FLOOR_OUTPUT / max(memory, compute)))
    rate = _THREE.plus(output)
    return Rate(
        basis="floor",
        label="data sheet, no machine reaches it",
        source=hardware.speed_source,
        concurrency=batch,
        input_tokens=FLOOR_INPUT,
        output_tokens=FLOOR_OUTPUT,
        input_per_second=rate * FLOOR_INPUT / FLOOR_OUTPUT,
        output_per_second=rate,
        tokens_per_second=rate * (FLOOR_INPUT + FLOOR_OUTPUT) / FLOOR_OUTPUT,
    )


def _step_bytes(choice: Choice, model: Model, batch: int, drafted: int) -> float:
    """Bytes that each device reads in one decoding step of `batch` requests."""
    shape = model.shape
    width = choice.checkpoint.size / shape.parameters
    touched = 1.0
    if shape.experts:
        missed = (1 - shape.experts_per_token / shape.experts) ** (batch * drafted)
        touched = 1 - missed
    weights = (shape.parameters - shape.routed + shape.routed * touched) * width
    precision = choice.checkpoint.kv_on(choice.pool.architecture or "")
    cache = kv_bytes_read(model.kv, precision, FLOOR_INPUT) * batch / choice.data
    if load_engine(choice.engine).SPLIT == "layers":
        cache /= choice.pool.count
    return weights / choice.pool.count + cache


def price_of(choice: Choice, table: SelfHosted, given: Decimal | None) -> Price | None:
    """The price of a GPU hour: the one given, else the table's; None where neither is there."""
    if given is not None:
        return Price(usd=given, source="--gpu-price")
    entry = table.gpu_hour(choice.pool.name)
    return Price(usd=entry.usd, source=f"{entry.source}; {entry.kind}, {entry.from_}") if entry is not None else None


def best_known(rates: Iterable[Rate], engine: str) -> Rate | None:
    """The rate to reckon with: measured before published, of the same engine before others, the most requests first.

    The floor is none to reckon with.
    """
    usable = [rate for rate in rates if rate.basis != "floor" and rate.input_per_second and rate.output_per_second]
    usable.sort(key=lambda rate: (rate.basis != "measured", rate.engine != engine, -(rate.concurrency or 0)))
    return usable[0] if usable else None
