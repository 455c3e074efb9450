"""`llmmigrate shadow`."""

import asyncio
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmmigrate.cli.caps import no_limit, no_price, too_dear
from llmmigrate.cli.comparison import Prepared, prepare
from llmmigrate.cli.console import Console
from llmmigrate.cli.interrupts import stopped_by_interrupt
from llmmigrate.cli.next_steps import estimated, larger_caps, resumed, told
from llmmigrate.cli.options import command, new_app, settings
from llmmigrate.cli.output import Destination, destinations, whole_file, write
from llmmigrate.cli.reading import command_line, now_ns
from llmmigrate.cli.shadow_options import ShadowOptions
from llmmigrate.errors import EndpointError, UsageError

if TYPE_CHECKING:
    from llmmigrate.reports import Report
    from llmmigrate.shadow.gates import Gate
    from llmmigrate.shadow.results import ComparisonResult
    from llmmigrate.shadow.running import Progress, Ran
    from llmmigrate.shadow.runs import Plan
    from llmmigrate.shadow.verdict import Judge

app = new_app()

CODES: Final = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}


@command(app)
def shadow(options: ShadowOptions, console: Console) -> int:
    """Is the target good enough: replays logged requests on both sides and judges the answers.

    \b
    Examples:
      llmmigrate shadow --canary 10%
      llmmigrate shadow logs.jsonl --from openai/o3 --to zai/glm-5 --canary 10% --max-cost 25 --dry-run
      llmmigrate shadow logs.jsonl --to local/glm-5 --canary 5% --gate errors='<= +2pt' --yes -o verdict.json
      llmmigrate shadow --resume 2026-11-22T01-10Z
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.reports.shadow import report
    from llmmigrate.shadow.runs import check_same, find_run, load_plan, new_run

    root = Path.cwd()
    to = destinations(options.format, options.output, inputs=options.logs)
    if options.rescore:
        return _rescore(find_run(root, options.rescore), options, to, console)
    folder = find_run(root, options.resume) if options.resume else None
    before = load_plan(folder) if folder is not None else None
    if before is not None:
        options = continued(options, before)
    prepared = prepare(options, console, with_keys=not options.dry_run)
    with closing(prepared.sample.bodies):
        if before is not None:
            check_same(before, prepared.plan)
        _check_affordable(prepared, options)
        if options.dry_run:
            write(_preview(prepared, options), to, console)
            return 0
        _ask(prepared, options, console, resumed=before is not None)
        folder = folder or new_run(root, prepared.now, prepared.plan)
        started = now_ns()
        try:
            ran = _run(prepared, folder, options, console)
        except EndpointError as error:
            raise told(error, resumed(folder, options)) from None
        if ran.torn:
            console.warn("the journal ended in a torn line, which is left out: its request counts as broken off")
        result = _result(prepared, ran, folder, started)
        step = _next_step(result, prepared, folder, options)
        page = report(result, ran.summary.examples(), next_step=step)
        files = (("verdict.json", "json"), ("summary.md", "markdown"), ("comparison.html", "html"))
        write(page, [Destination(str(folder / name), format) for name, format in files], console)
        _write_calibration(prepared, ran, folder, console)
    write(page, to, console)
    return CODES[result.verdict]


def continued(options: ShadowOptions, plan: "Plan") -> ShadowOptions:
    """The options of an earlier start, but for what the command line says anew."""
    planned: dict[str, Any] = {
        "logs": list(plan.logs), "where": list(plan.where), "since": plan.since, "until": plan.until, "tz": plan.tz,
        "provider": plan.provider, "log_format": plan.log_format, "from_": plan.current, "to": plan.target,
        "canary": f"{Decimal(plan.canary) * 100:f}%", "seed": plan.seed, "unit": plan.unit, "baseline": plan.baseline,
        "gate": list(plan.gate_flags), "measure": list(plan.measures), "store": plan.store,
        "embeddings": plan.embeddings, "cost_sample": plan.cost_draws, "max_output_tokens": plan.max_output_tokens,
        "max_cost": plan.max_cost, "max_tokens_total": plan.max_tokens_total, "alias": list(plan.aliases),
    }  # fmt: skip
    plain = ShadowOptions()
    untold = {name: value for name, value in planned.items() if getattr(options, name) == getattr(plain, name)}
    return dataclasses.replace(options, **untold)


def _rescore(folder: Path, options: ShadowOptions, to: list[Destination], console: Console) -> int:
    """Judge a finished run anew; its own files stay as they are."""
    import msgspec

    from llmmigrate.cli.comparison import measures_and_gates
    from llmmigrate.reports.shadow import report
    from llmmigrate.shadow.rescoring import measured, rescore
    from llmmigrate.shadow.results import ComparisonResult
    from llmmigrate.shadow.runs import load_plan
    from llmmigrate.shadow.summary import Facts

    path = folder / "verdict.json"
    if not path.exists():
        raise UsageError(f"the run {folder.name} has not ended", fix=f"llmmigrate shadow --resume {folder.name}")
    plan = load_plan(folder)
    options = dataclasses.replace(continued(options, plan), store=plan.store)
    before = msgspec.json.decode(path.read_bytes(), type=ComparisonResult)
    measures, gates = measures_and_gates(options, settings(options), measured(folder))
    judge = _judge(plan, gates, sampled=before.planned_pairs, population=before.population)
    verdict, summary = rescore(folder, plan, judge, measures)
    told = {name: getattr(before, name) for name in Facts.__struct_fields__}
    facts = Facts(**{**told, "command": command_line(), "exploratory": True})
    result = summary.result(verdict, facts)
    write(report(result, summary.examples()), to, console)
    return CODES[result.verdict]


def _check_affordable(prepared: Prepared, options: ShadowOptions) -> None:
    """UsageError for what could never be sent: no price and no cap in tokens, no limit, or a cap below one request."""
    for side, view in ((prepared.current, prepared.preview.current), (prepared.target, prepared.preview.target)):
        capped = prepared.token_cap is not None
        if view.worst is None and not capped and (side.till.unpriced or not view.unlimited):
            raise no_price(side)
        if view.unlimited and (capped or not view.free):
            raise no_limit(view.name)
        if view.largest is not None and view.largest > prepared.max_cost:
            raise too_dear(f"one request at {side.endpoint.name}", view.largest, prepared.max_cost)
    vectors = prepared.preview.embeddings
    if prepared.embeddings is not None and vectors is not None and vectors.expected is None and not prepared.token_cap:
        raise no_price(prepared.embeddings)
    expected = prepared.preview.expected
    if expected is not None and expected > prepared.max_cost and not options.dry_run:
        raise UsageError(
            f"about {expected.normalize():f} USD are expected, more than --max-cost {prepared.max_cost:f}",
            fix="draw a smaller canary, or raise --max-cost; --dry-run shows the parts",
        )


def _ask(prepared: Prepared, options: ShadowOptions, console: Console, *, resumed: bool) -> None:
    """Show what would be sent, and go on only with a yes."""
    from llmmigrate.reports.formats import table
    from llmmigrate.reports.preview import money_words, plan_words

    if options.yes:
        console.say(plan_words(prepared.preview, _share(prepared), "Replaying") + ".")
        console.say(money_words(prepared.preview, prepared.max_cost))
        return
    page = table.render(_preview(prepared, options), width=console.width(), color=False)
    print(page, file=sys.stderr)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nothing was sent: this is no terminal that could be asked", fix="add --yes")
    word = "Go on" if resumed else "Start"
    print(f"{word}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was sent", fix="answer y, or add --yes")


def _share(prepared: Prepared) -> Decimal:
    return Decimal(prepared.plan.canary)


def _preview(prepared: Prepared, options: ShadowOptions) -> "Report":
    from llmmigrate.reports.preview import report
    from llmmigrate.shadow.decidability import Assumed, outlook

    pairs = prepared.preview.pairs
    applies = {name: n / pairs for name, n in prepared.demanded.items()} if pairs else {}
    assumed = Assumed(applies=applies, repeats=prepared.preview.doubled or None)
    fresh = prepared.plan.baseline == "fresh"
    tested = [gate for gate in prepared.gates if fresh or not gate.comparative]
    sessions = prepared.sample.sessions() if prepared.plan.unit == "session" else None
    view = outlook(tested, pairs, assumed, sessions=sessions, seed=prepared.plan.seed)
    given = [word for word in sys.argv[1:] if word != "--dry-run"]
    step = shlex.join(["llmmigrate", *given]) if options.dry_run else None
    return report(prepared.preview, view, cap=prepared.max_cost, canary=_share(prepared), next_step=step)


def _run(prepared: Prepared, folder: Path, options: ShadowOptions, console: Console) -> "Ran":
    from llmmigrate.shadow.running import Job, run

    plan = prepared.plan
    sampled = len(prepared.sample.canary)
    judge = _judge(plan, prepared.gates, sampled=sampled, population=prepared.sample.population)
    job = Job(
        folder=folder,
        sample=prepared.sample,
        current=prepared.current,
        target=prepared.target,
        judge=judge,
        measures=prepared.measures,
        embeddings=prepared.embeddings,
        vectors=prepared.vectors,
        seed=plan.seed,
        store=plan.store,
        fresh=plan.baseline == "fresh",
        repeats=prepared.repeats,
        max_cost=prepared.max_cost,
        token_cap=prepared.token_cap,
        resend=options.resend,
    )
    with console.counting("pairs", sampled) as advance:

        async def whole() -> "Ran":
            stop = asyncio.Event()
            with stopped_by_interrupt(stop, resumed(folder, options), console):
                return await run(job, stop, lambda progress: advance(progress.pairs, _spent_words(progress)))

        return asyncio.run(whole())


def _judge(plan: "Plan", gates: "Sequence[Gate]", *, sampled: int, population: int) -> "Judge":
    from llmmigrate.shadow.noise import REPEATS
    from llmmigrate.shadow.verdict import Judge

    return Judge(
        gates,
        baseline=plan.baseline,
        unit=plan.unit,
        population=population if 2 * sampled > population else None,
        repeats=min(REPEATS, sampled),
        seed=plan.seed,
    )


def _spent_words(progress: "Progress") -> str:
    from llmmigrate.reports.numbers import money

    cap = progress.budget.cap
    return f"{money(progress.budget.spent)} of {money(cap)} USD" if cap is not None else ""


def _result(prepared: Prepared, ran: "Ran", folder: Path, started: int) -> "ComparisonResult":
    from llmmigrate import __version__
    from llmmigrate.logs.writing import timestamp
    from llmmigrate.shadow.results import Hashes
    from llmmigrate.shadow.summary import Facts

    plan, sample = prepared.plan, prepared.sample
    facts = Facts(
        command=command_line(),
        version=__version__,
        run=folder.name,
        started=timestamp(started),
        ended=timestamp(now_ns()),
        canary=plan.canary,
        seed=plan.seed,
        store=plan.store,
        hashes=Hashes(sample=sample.digest, logs=prepared.log_hashes, prices=prepared.price_hashes()),
        population=sample.population,
        left_out=dict(sample.left_out),
        planned_pairs=len(sample.canary),
        changed=ran.changed,
        incompatible=prepared.preview.incompatible,
        not_sent_again=ran.not_sent_again,
        lag_ms_p99=ran.lag_ms_p99,
        cost_sample=sum(pair.times for pair in ran.cost),
        spend=ran.spend,
    )
    return ran.summary.result(ran.verdict, facts)


def _write_calibration(prepared: Prepared, ran: "Ran", folder: Path, console: Console) -> None:
    """What an estimate reads."""
    from llmmigrate.shadow import calibration

    if not ran.cost:
        return
    made = calibration.calibrate(
        calibration.draws_of((pair.asked, pair.times, pair.arm.tokens) for pair in ran.cost),
        current=prepared.plan.current,
        target=prepared.plan.target,
        seed=prepared.plan.seed,
        sample=prepared.sample.digest,
    )
    with whole_file(str(folder / "calibration.json")) as stream:
        stream.write(calibration.dump(made))
    console.say(f"wrote {folder / 'calibration.json'}")


def _next_step(result: "ComparisonResult", prepared: Prepared, folder: Path, options: ShadowOptions) -> str | None:
    """What can be typed next; None where nothing would help."""
    if result.reason == "budget":
        return resumed(folder, options, more=_larger_caps(result, prepared))
    if result.reason == "interrupted":
        return resumed(folder, options)
    if result.verdict == "PASS" and result.cost_sample and prepared.target.till.entry is not None:
        return estimated(prepared.plan, folder, options)
    return None


def _larger_caps(result: "ComparisonResult", prepared: Prepared) -> dict[str, str]:
    """Caps that leave room: in dollars only where the next requests might not have fitted in."""
    spent = Decimal(result.spend.total) + Decimal(result.spend.possibly_billed)
    current, target = (view.largest or 0 for view in (prepared.preview.current, prepared.preview.target))
    is_short = spent + 2 * current + target > prepared.max_cost
    return larger_caps(prepared.max_cost, prepared.token_cap, cost_is_short=is_short)
