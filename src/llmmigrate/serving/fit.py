"""What fits where: every checkpoint and engine of a model weighed against a pool of devices, before any download."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from llmmigrate.serving.catalogue import ANY, Checkpoint, Model, Refusal, hardware
from llmmigrate.serving.engines import Engine, load_engine
from llmmigrate.serving.memory import context_bytes, kv_bytes_per_token, of_busiest, reserved_bytes
from llmmigrate.serving.pool import CPU, Pool

SMALLEST_CONTEXT: Final = 8192
"""A plan with less is no use for the traffic that this is about."""
STEPS: Final = (1 << 20, 1 << 19, 1 << 18, 202_752, 1 << 17, 1 << 16, 1 << 15, 1 << 14, 1 << 13)
"""Lengths of context to choose from below the model's own."""
SLACK_BYTES: Final = 500_000_000
"""Of the memory that is free now, what is left alone."""

Verdict = Literal["fits", "weights", "context", "refused", "no_recipe", "unknown_memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a user asks of a plan."""

    context: int | None = None
    engine: str | None = None
    precision: str | None = None
    draft: bool = True
    """Multi-token prediction where the engine and the model have it."""
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One checkpoint on one engine, spread over the pool in one way. Bytes are per device."""

    model: str
    checkpoint: Checkpoint
    engine: str
    pool: Pool
    verdict: Verdict
    why: str | None
    """Why it is not possible, in words; None where it fits."""
    refusal: Refusal | None
    tensor: int
    """Devices that hold one replica together."""
    data: int
    """Replicas."""
    weights_bytes: int
    kv_token_bytes: int
    context_token_bytes: int
    """Workspace that each token of a request's context takes beside its cache."""
    usable_bytes: int
    """What the engine may take of a device, less what it keeps for itself."""
    kv_tokens: int
    """Tokens in the cache of one replica."""
    context: int
    draft_tokens: int

    @property
    def fits(self) -> bool:
        """Whether it can be launched."""
        return self.verdict == "fits"

    @property
    def missing_bytes(self) -> int:
        """What a device lacks for weights and one sequence."""
        token = self.kv_token_bytes + self.context_token_bytes
        return max(0, self.weights_bytes + self.context * token - self.usable_bytes)

    @property
    def longest_context(self) -> int | None:
        """The longest context that the cache holds once; None where it holds none of use."""
        return next((step for step in STEPS if step <= self.kv_tokens), None)

    def sequences(self, length: int) -> int:
        """How many sequences of `length` tokens all replicas hold at one time."""
        held, most = self.kv_tokens // length, load_engine(self.engine).SEQUENCES
        return (held if most is None else min(held, most)) * self.data


def choices(name: str, model: Model, pool: Pool, wish: Wish) -> list[Choice]:
    """Every way to serve a model on a pool, the preferred one first, those that do not work last."""
    found = [_weighed(name, model, checkpoint, engine, pool, wish) for checkpoint, engine in _pairs(model, pool, wish)]
    return sorted(found, key=lambda choice: (not choice.fits, choice.checkpoint.rough))


def memory_share(pool: Pool, engine: Engine) -> float:
    """The part of a device's memory that an engine may take, in whole hundredths: never more than is free now."""
    if not pool.memory_bytes or pool.free_bytes is None:
        return engine.UTILISATION
    free = (pool.free_bytes - SLACK_BYTES) * 100 // pool.memory_bytes
    return min(engine.UTILISATION, max(free, 1) / 100)


def usable_bytes(pool: Pool, engine: Engine, model: Model) -> int | None:
    """What weights and cache may take of one device; None where its memory is not known."""
    if pool.memory_bytes is None:
        return None
    share = int(pool.memory_bytes * engine.UTILISATION)
    if pool.free_bytes is not None:
        share = min(share, pool.free_bytes - SLACK_BYTES)
    return share - reserved_bytes(model.shape, engine.BATCH_TOKENS)


def _pairs(model: Model, pool: Pool, wish: Wish) -> Iterator[tuple[Checkpoint, str]]:
    """The checkpoints and engines that come into question, also those that are refused here."""
    for checkpoint in _near(model, pool):
        if wish.precision is not None and checkpoint.precision.casefold() != wish.precision.casefold():
            continue
        engines = checkpoint.engines_on(pool.architecture or "") or _elsewhere(checkpoint)
        for engine in engines:
            if wish.engine in (None, engine):
                yield checkpoint, engine


def _near(model: Model, pool: Pool) -> list[Checkpoint]:
    """The checkpoints that are made for this maker's hardware or for any; all of them where there is none."""
    makers = {item.architecture: item.platform for item in hardware().values()}
    near = [
        checkpoint
        for checkpoint in model.checkpoints
        if any(place == ANY or makers.get(place, place) == pool.platform for place in checkpoint.runs_on)
    ]
    return near or list(model.checkpoints)


def _elsewhere(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The engine that runs a checkpoint on other hardware: what --force would try."""
    return next(iter(checkpoint.runs_on.values()))[:1]


def _weighed(name: str, model: Model, checkpoint: Checkpoint, engine: str, pool: Pool, wish: Wish) -> Choice:
    """The best way to spread one checkpoint over the pool."""
    module = load_engine(engine)
    usable = usable_bytes(pool, module, model)
    options = [
        _spread(name, model, checkpoint, engine, pool, wish, ranks=ranks, usable=usable or 0)
        for ranks in _ranks(pool, model, module) or [pool.count]
    ]
    best = _best(options, wish.context or model.shape.context)
    why = _obstacle(model, checkpoint, engine, pool, wish)
    if why is not None:
        verdict, words, refusal = why
        return _with_verdict(best, verdict, words, refusal)
    if usable is None:
        return _with_verdict(
            best, "unknown_memory", f"the memory of {pool.title} is not known: name it with --on", None
        )
    return best


def _best(options: list[Choice], context: int) -> Choice:
    """The least ranks that hold the wished context, else those that hold the most."""
    whole = (option for option in options if option.fits and option.context >= context)
    return next(whole, max(options, key=lambda option: (option.fits, option.context, option.kv_tokens, option.tensor)))


def _ranks(pool: Pool, model: Model, engine: Engine) -> list[int]:
    """Numbers of devices that can hold one replica together, ascending.

    Tensor parallelism takes powers of two that divide the attention heads; over several machines, all devices, if they
    do. Sharing out layers is planned within one machine. Empty where there is no way.
    """
    divides = model.shape.heads % pool.count == 0
    if engine.SPLIT == "layers" or pool.nodes > 1:
        return [pool.count] if pool.nodes == 1 or (divides and engine.SPLIT == "tensor") else []
    powers = [1 << power for power in range(pool.count.bit_length())]
    return [number for number in powers if number <= pool.count and model.shape.heads % number == 0]


def _spread(
    name: str, model: Model, checkpoint: Checkpoint, engine: str, pool: Pool, wish: Wish, *, ranks: int, usable: int
) -> Choice:
    module = load_engine(engine)
    drafts = model.draft_tokens if wish.draft and module.DRAFTS else 0
    precision = checkpoint.kv_on(pool.architecture or "")
    in_layers = module.SPLIT == "layers"
    cache = of_busiest(model.kv, ranks) if in_layers else model.kv
    per_token = kv_bytes_per_token(cache, precision, draft=bool(drafts), ranks=1 if in_layers else ranks)
    per_context = context_bytes(cache, module.MICRO_BATCH)
    weights = _of_weights(checkpoint.size, ranks, model.shape.layers if in_layers else ranks)
    tokens = max(0, (usable - weights) // (per_token + per_context))
    context = wish.context or _longest(model.shape.context, tokens)
    if module.SEQUENCES is not None and tokens > context:
        room = usable - weights - context * per_context
        tokens = min(room // (context * per_token), module.SEQUENCES) * context
    verdict: Verdict = "fits" if tokens >= context else "weights" if tokens < SMALLEST_CONTEXT else "context"
    return Choice(
        model=name,
        checkpoint=checkpoint,
        engine=engine,
        pool=pool,
        verdict=verdict,
        why=None,
        refusal=None,
        tensor=ranks,
        data=1 if module.SPLIT == "layers" else pool.count // ranks,
        weights_bytes=weights,
        kv_token_bytes=per_token,
        context_token_bytes=per_context,
        usable_bytes=usable,
        kv_tokens=tokens,
        context=context,
        draft_tokens=drafts,
    )


def _of_weights(size: int, devices: int, parts: int) -> int:
    """The weights of the device with the most of so many equal parts."""
    return -(-size * -(-parts // devices) // parts)


def _longest(most: int, tokens: int) -> int:
    """The longest context that the cache holds once; the smallest useful one where it holds none."""
    return next((step for step in (most, *STEPS) if step <= min(most, tokens)), min(most, SMALLEST_CONTEXT))


def _obstacle(
    model: Model, checkpoint: Checkpoint, engine: str, pool: Pool, wish: Wish
) -> tuple[Verdict, str, Refusal | None] | None:
    """Why a checkpoint must not be launched here, whatever the memory; None with --force."""
    if not _ranks(pool, model, load_engine(engine)):
        words = f"{load_engine(engine).TITLE} cannot spread it over {pool.count} devices in {pool.nodes} machines"
        return "no_recipe", f"{words}: plan one machine", None
    if wish.force:
        return None
    architecture = pool.architecture or "unknown architecture"
    if engine in checkpoint.engines_on(architecture):
        return None
    refusal = model.refusal(engine, architecture) or next(
        (item for item in model.refusals if architecture in item.architectures), None
    )
    if refusal is not None:
        return "refused", refusal.why, refusal
    place = "the processor" if pool.platform == CPU else f"{pool.title} ({architecture})"
    return "no_recipe", f"no published way to run {checkpoint.precision} on {place}", None


def _with_verdict(choice: Choice, verdict: Verdict, why: str, refusal: Refusal | None) -> Choice:
    return dataclasses.replace(choice, verdict=verdict, why=why, refusal=refusal)
