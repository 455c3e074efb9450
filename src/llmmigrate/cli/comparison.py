"""From a command line to a comparison that is ready to start: sides, sample, gates, measures, expected cost."""

import os
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from llmmigrate.cli.caps import dollars, token_count
from llmmigrate.cli.console import Console
from llmmigrate.cli.embeddings import MEASURE, check_embeddings, embeddings_side
from llmmigrate.cli.endpoints import Served, served
from llmmigrate.cli.options import settings
from llmmigrate.cli.reading import Reading, catalog_of, read_logs
from llmmigrate.cli.shadow_options import DEFAULT_MAX_COST, DEFAULT_SEED, Choices, ShadowOptions, choices
from llmmigrate.errors import UsageError

if TYPE_CHECKING:
    from llmmigrate.config import Settings
    from llmmigrate.costing.audit.findings import Translation
    from llmmigrate.prices import Catalog
    from llmmigrate.shadow.gates import Gate
    from llmmigrate.shadow.pairs import Sampled
    from llmmigrate.shadow.preview import Preview
    from llmmigrate.shadow.runs import Plan
    from llmmigrate.shadow.sample import Sample
    from llmmigrate.shadow.scoring import Measure
    from llmmigrate.shadow.sides import Side, SideName
    from llmmigrate.shadow.vectors import Vectors
    from llmmigrate.usage.call import Call


class Prepared(NamedTuple):
    """A comparison before anything is sent."""

    plan: "Plan"
    sample: "Sample"
    current: "Side"
    target: "Side"
    gates: "tuple[Gate, ...]"
    measures: "list[Measure]"
    embeddings: "Side | None"
    """Who gives the vectors of answers, where a measure needs them."""
    vectors: "Vectors"
    """Where that measure finds them."""
    preview: "Preview"
    repeats: int
    """In so many of the first pairs the current side is asked twice."""
    max_cost: Decimal
    token_cap: int | None
    demanded: dict[str, int]
    """By validity: how many of the sampled requests demand what it measures."""
    log_hashes: dict[str, str]
    catalog: "Catalog"
    now: int
    """Epoch seconds."""

    def price_hashes(self) -> dict[str, str]:
        """SHA-256 of the price tables in use, by provider."""
        sides = (self.current, self.target, self.embeddings)
        entries = [side.till.entry for side in sides if side is not None]
        tables = (self.catalog.tables[entry.provider] for entry in entries if entry is not None)
        return {table.provider: table.sha256 for table in tables}


def prepare(options: ShadowOptions, console: Console, *, with_keys: bool) -> Prepared:
    """Read the logs, draw the samples, and work out what the run would do. Sends nothing.

    The caller closes `sample.bodies`.
    """
    found = settings(options)
    limits = _limits(options, found)
    if options.resend and not options.resume:
        raise UsageError("--resend is about an earlier start", fix="name it: --resume RUN --resend")
    _, gates = measures_and_gates(options, found, {})  # what is wrong with them is said before the log is read
    _check_testable(gates, limits.chosen)
    catalog = catalog_of(found)
    target = served(options.to, found.config.to, found, catalog, option="--to", with_key=with_keys)
    current = _current(options, found, catalog, console, with_keys)
    sample, reading = _sample(options, console, catalog, current, limits)
    try:
        _say_lines(reading, options, console)
        return _prepared(options, found, limits, current, target, sample, reading, with_keys)
    except BaseException:
        sample.bodies.close()
        raise


def _check_testable(gates: "tuple[Gate, ...]", chosen: Choices) -> None:
    """UsageError where no answer of the target could decide anything."""
    if chosen.baseline == "logged" and all(gate.comparative for gate in gates):
        raise UsageError(
            "no gate can be tested with --baseline logged",
            why=f"all of them hold the target against fresh answers: {', '.join(map(str, gates))}",
            fix="demand something of the target alone, such as --gate 'errors=< 5%', or take --baseline fresh",
        )


def _say_lines(reading: Reading, options: ShadowOptions, console: Console) -> None:
    """Say that lines of the log could not be read. UsageError with --strict, before anything is sent."""
    from llmmigrate.costing.analysis import line_counts
    from llmmigrate.reports.analysis import lines_words

    accounting = reading.profile.accounting
    if not accounting.lines.rejected:
        return
    words = lines_words(line_counts(accounting))
    if options.strict:
        raise UsageError(f"--strict: {words}", fix="llmmigrate ingest --rejects FILE shows what was rejected, and why")
    console.warn(f"{words}: what was rejected could not be drawn")


class _Limits(NamedTuple):
    canary: Decimal
    seed: int
    max_cost: Decimal
    token_cap: int | None
    chosen: Choices


def _limits(options: ShadowOptions, found: "Settings") -> _Limits:
    canary = _canary(options, found)
    tokens = token_count(options.max_tokens_total)
    return _Limits(canary, _seed(options, found), _max_cost(options, found), tokens, choices(options))


def _prepared(
    options: ShadowOptions, found: "Settings", limits: _Limits, current_at: Served, target_at: Served,
    sample: "Sample", reading: Reading, with_keys: bool,
) -> Prepared:  # fmt: skip
    from llmmigrate.shadow.noise import REPEATS
    from llmmigrate.shadow.preview import preview
    from llmmigrate.shadow.vectors import Vectors

    catalog, now, fresh = reading.catalog, reading.now, limits.chosen.baseline == "fresh"
    current = side_at("current", current_at, catalog, now, options.max_output_tokens)
    target = side_at("target", target_at, catalog, now, options.max_output_tokens)
    embeddings = embeddings_side(options, found, catalog, now, with_key=with_keys)
    demanded, vectors = _demanded(sample), Vectors()
    measures, gates = measures_and_gates(options, found, demanded, vectors)
    agreements = any(gate.subject == "agreement" for gate in gates)
    repeats = min(REPEATS, len(sample.canary)) if agreements and fresh else 0
    return Prepared(
        plan=_plan(options, found, limits, current_at, target_at, gates, sample),
        sample=sample,
        current=current,
        target=target,
        gates=gates,
        measures=measures,
        embeddings=embeddings,
        vectors=vectors,
        preview=preview(sample, current, target, doubled=repeats, fresh=fresh, embeddings=embeddings),
        repeats=repeats,
        max_cost=limits.max_cost,
        token_cap=limits.token_cap,
        demanded=demanded,
        log_hashes=_log_hashes(reading),
        catalog=catalog,
        now=now,
    )


def _canary(options: ShadowOptions, found: "Settings") -> Decimal:
    from llmmigrate import quantities

    if options.canary is None:
        if found.config.shadow.canary is None:
            raise UsageError("how much is to be replayed?", fix="add --canary 10%")
        canary = found.config.shadow.canary
    else:
        try:
            canary = quantities.share(options.canary)
        except ValueError as error:
            raise UsageError(f"--canary: {error}") from None
    if not canary:
        raise UsageError("--canary 0% replays nothing", fix="write a part such as --canary 10%")
    return canary


def _seed(options: ShadowOptions, found: "Settings") -> int:
    if options.seed is not None:
        if options.seed < 0:
            raise UsageError(f"--seed {options.seed} is below zero", fix="write a whole number such as --seed 7")
        return options.seed
    return DEFAULT_SEED if found.config.shadow.seed is None else found.config.shadow.seed


def _max_cost(options: ShadowOptions, found: "Settings") -> Decimal:
    if options.max_cost is None:
        amount = found.config.shadow.max_cost
        if amount is None:
            return DEFAULT_MAX_COST
        if amount.currency != "USD":
            raise UsageError(f"shadow.max_cost is in {amount.currency}", fix="write it in USD, such as 25 USD")
        return amount.value
    return dollars(options.max_cost)


def _current(
    options: ShadowOptions, found: "Settings", catalog: "Catalog", console: Console, with_keys: bool
) -> Served:
    """The side of today: as told, else the one model of the log."""
    side = found.config.from_
    told = options.from_ is not None or (side is not None and side.model is not None)
    name = options.from_ if told else _only_model(options, console, catalog)
    keyed = with_keys and choices(options).baseline == "fresh"
    return served(name, side, found, catalog, option="--from", with_key=keyed)


def _only_model(options: ShadowOptions, console: Console, catalog: "Catalog") -> str:
    """The model that all calls of the log went to. UsageError when there are several."""
    from llmmigrate.prices import Unpriced

    calls: dict[str, int] = {}
    for key, cell in read_logs(options, console).profile.cells.items():
        entry = catalog.find(key.provider, key.model)
        name = f"{key.provider}/{key.model}" if isinstance(entry, Unpriced) else f"{entry.provider}/{entry.id}"
        calls[name] = calls.get(name, 0) + cell.calls
    ranked = sorted(calls, key=lambda name: (-calls[name], name))
    if len(ranked) != 1:
        shown = ", ".join(ranked[:4]) + (f" and {len(ranked) - 4} more" if len(ranked) > 4 else "")
        raise UsageError(f"the log holds {len(ranked)} models", why=shown, fix=f"add --from {ranked[0]}")
    return ranked[0]


def _sample(
    options: ShadowOptions, console: Console, catalog: "Catalog", current: Served, limits: _Limits
) -> tuple["Sample", Reading]:
    from llmmigrate.shadow.sample import Drawer

    drawer = Drawer(
        share=float(limits.canary),
        seed=limits.seed,
        cost_draws=limits.chosen.cost_draws,
        wanted=_calls_of(current, catalog),
        by_session=limits.chosen.unit == "session",
    )
    reading = read_logs(options, console, keep_text=True, on_call=drawer.add)
    sample = drawer.sample()
    if not sample.canary:
        sample.bodies.close()
        raise _nothing_to_send(sample, current)
    return sample, reading


def _calls_of(current: Served, catalog: "Catalog") -> "Callable[[Call], bool]":
    """Whether a call went to the current model, whatever the log calls it."""
    from llmmigrate.prices import Unpriced

    endpoint = current.endpoint
    wanted = catalog.find(endpoint.provider, endpoint.model)

    def is_current(call: "Call") -> bool:
        if isinstance(wanted, Unpriced):
            return call.model == endpoint.model
        return catalog.find(call.provider or endpoint.provider, call.model) is wanted

    return is_current


def _nothing_to_send(sample: "Sample", current: Served) -> UsageError:
    left = sample.left_out
    if sample.population:
        return UsageError(
            f"the canary is empty: {sample.population:,} requests could be drawn", fix="draw more, such as --canary 10%"
        )
    if left.get("no_request_text"):
        return UsageError(
            f"the log holds no request of {current.endpoint.name} to replay",
            why=f"{left['no_request_text']:,} calls have counts but no messages",
            fix="use a log with request bodies, such as a capture; `llmmigrate record --keep-text` and"
            " `llmmigrate ingest --keep-text` keep them",
        )
    if left.get("other_model"):
        return UsageError(
            f"no call of the log went to {current.endpoint.name}",
            why=f"{left['other_model']:,} calls went to other models",
            fix="name the model of the log with --from, or what it means with --alias LOGGED=P/M",
        )
    return UsageError("the log holds no request that can be replayed", why=str(dict(left)))


def side_at(name: "SideName", at: Served, catalog: "Catalog", now: int, max_output: int | None) -> "Side":
    """A side as the engine takes it; `now` in epoch seconds prices its requests.

    `max_output` is put into requests that set no limit on the reply.
    """
    from llmmigrate.costing.audit.requests import features_of
    from llmmigrate.costing.audit.targets import find_target
    from llmmigrate.costing.audit.translate import limited, translate
    from llmmigrate.shadow.paying import Till
    from llmmigrate.shadow.sides import Side, bounded

    if max_output is not None and max_output < 1:
        raise UsageError(f"--max-output-tokens {max_output} is no such number", fix="write one above 0")
    endpoint = at.endpoint
    known = replace(find_target(catalog, endpoint.provider, endpoint.model, endpoint.dialect), model=endpoint.model)
    till = Till(catalog, endpoint.provider, endpoint.model, now=now, price=at.price)

    def translated(asked: "Sampled") -> "Translation":
        made = bounded(translate(asked.request, asked.dialect, known, features=asked.features), endpoint.dialect, till)
        if max_output is None or features_of(asked.request, asked.dialect).max_output_tokens is not None:
            return made
        return limited(made, known, max_output)

    return Side(name=name, endpoint=endpoint, till=till, translate=translated)


def measures_and_gates(
    options: ShadowOptions, found: "Settings", demanded: dict[str, int], vectors: "Vectors | None" = None
) -> "tuple[list[Measure], tuple[Gate, ...]]":
    """All measures with the user's own, and the gates in force.

    `demanded`: by measure, how many of the requests it applies to, as far as known. `vectors`: of answers, in a run.
    """
    from llmmigrate import registry
    from llmmigrate.shadow.gates import gates_of
    from llmmigrate.shadow.own_measures import own_measure
    from llmmigrate.shadow.scoring import ROOM, measure
    from llmmigrate.shadow.vectors import Vectors

    check_embeddings(options, found)
    names = [name for name in registry.names(ROOM) if name != MEASURE or options.embeddings is not None]
    measures = [measure(name, vectors=(vectors or Vectors()).get) for name in names]
    measures += [own_measure(text, store=choices(options).store) for text in options.measure if text not in names]
    kinds = {item.name: item.kind for item in measures}
    return measures, gates_of(found.config.shadow.gates, options.gate, kinds, demanded)


def _log_hashes(reading: Reading) -> dict[str, str]:
    return {source.path: source.sha256 for source in reading.profile.accounting.sources}


def _demanded(sample: "Sample") -> dict[str, int]:
    """How many of the sampled requests demand what a validity measures."""
    from llmmigrate.costing.audit.requests import features_of

    found = {"schema_validity": 0, "json_validity": 0, "tool_validity": 0}
    for place in sample.canary:
        asked = sample.bodies.get(place)
        features = features_of(asked.request, asked.dialect)
        form = features.response_format
        found["json_validity"] += form is not None
        found["schema_validity"] += form is not None and form.schema is not None
        found["tool_validity"] += bool(features.tools)
    return found


def _plan(
    options: ShadowOptions, found: "Settings", limits: _Limits, current: Served, target: Served,
    gates: "tuple[Gate, ...]", sample: "Sample",
) -> "Plan":  # fmt: skip
    from llmmigrate.shadow.runs import Plan

    chosen = limits.chosen
    told: dict[str, Any] = {name: getattr(options, name) for name in ("since", "until", "tz", "provider", "log_format")}
    return Plan(
        logs=tuple(os.path.abspath(path) for path in options.logs or found.config.logs),
        where=tuple(options.where),
        current=current.endpoint.name,
        target=target.endpoint.name,
        current_url=current.endpoint.base_url if chosen.baseline == "fresh" else None,
        target_url=target.endpoint.base_url,
        embeddings=options.embeddings,
        canary=f"{limits.canary:f}",
        seed=limits.seed,
        unit=chosen.unit,
        baseline=chosen.baseline,
        gates=tuple(str(gate) for gate in gates),
        gate_flags=tuple(options.gate),
        measures=tuple(options.measure),
        store=chosen.store,
        cost_draws=chosen.cost_draws,
        max_output_tokens=options.max_output_tokens,
        max_cost=options.max_cost,
        max_tokens_total=options.max_tokens_total,
        aliases=tuple(options.alias),
        sample=sample.digest,
        **told,
    )
