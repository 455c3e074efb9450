"""Records of what an estimate says beside its targets: machines of one's own, and prefix caching."""

from llmmigrate.costing.records import Money, Record, Share


class Utilisation(Record, frozen=True, kw_only=True):
    """What a million tokens of the log's mix cost on a machine that is busy for this part of the time."""

    utilisation: Share
    per_million: Money


class MachinePlan(Record, frozen=True, kw_only=True):
    """Machines of one's own, as many as the log's busiest quarter of an hour needs, paid for all hours.

    `machines_low` and `machines_high` are for the ends of the token ratio. Rates and peaks are tokens a second: of one
    machine, and of the moved traffic.
    """

    model: str
    hardware: str
    gpus: int
    machines: int
    machines_low: int
    machines_high: int
    gpu_hour: Money
    gpu_hour_kind: str
    gpu_hour_source: str
    hour_cost: Money
    month_cost: Money
    output_per_second: float
    input_per_second: float | None
    throughput_source: str
    peak_output_per_second: float
    peak_input_per_second: float
    peak_at: str
    peak_utilisation: Share
    mean_utilisation: Share
    now_per_million: Money | None
    break_even_utilisation: float | None
    """Above it a machine is cheaper than today's prices; above 1 it never is."""
    table: list[Utilisation]


class CacheKept(Record, frozen=True, kw_only=True):
    """What a prefix cache serves at most that forgets after so many seconds without use; null: never."""

    seconds: int | None
    tokens: int
    share: Share


class PrefixCaching(Record, frozen=True, kw_only=True):
    """How much of the input begins as an earlier call did: a bound from above for any prefix cache.

    Over the calls with a prompt (`basis`: its text, or the log's block hashes) and an instant; `input_share` is their
    part of all input tokens. Caches that forget serve nothing below `minimum_tokens` of a call.
    """

    calls: int
    input_tokens: int
    input_share: Share
    cached_now: int
    basis: str
    minimum_tokens: int
    kept: list[CacheKept]
