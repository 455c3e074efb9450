"""The rehearsal itself: share, latency, faults, flip, in this order."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import MODEL
from llmmigrate.rollout.drill import results
from llmmigrate.rollout.drill.faults import Fault
from llmmigrate.rollout.drill.lab import Lab, opened, stood_in
from llmmigrate.rollout.drill.results import Ceiling, Drill, FaultResult, Flip, Latency, Share
from llmmigrate.rollout.drill.traffic import Load, Record, Traffic, one_after_another, percentile
from llmmigrate.rollout.emission import config_hash, gateway_of
from llmmigrate.rollout.plan import Plan
from llmmigrate.rollout.process import version
from llmmigrate.statistics import binomial

Say = Callable[[str], None]

_WARM: Final = 1.0
_GAP: Final = 3.0
"""Least seconds without an attempt after which the target counts as left alone."""
_EXPECTED_IN_GAP: Final = 7.0
"""Attempts that such a gap would hold if the target were not left alone: by chance it is empty once in 1,000 times."""
_BACK_LIMIT: Final = 13.0
"""Longest wait for the target's return: longer than the rehearsal's first ejection."""
_REST_LIMIT: Final = 60.0
"""Longest wait between two faults for a gateway that is not started anew."""
_LANES: Final = 4
_STREAM_SECONDS: Final = 4.5
"""Of a stream that is under way while the stage changes."""
_FLIP_STEP: Final = 2.0
_QUICK_FLIP_STEP: Final = 1.5
_QUICK_SECONDS: Final = 6.0
"""Of a fault in a quick drill."""
_MOST: Final = 0.5
"""Of what a gateway carries, the part that is sent to it: a drill shows what a fault costs, and not an overload."""
_LEAST: Final = 0.5
"""Requests a second that are sent however little it carries."""
_LOOK_SECONDS: Final = 3.0
"""For which it is looked how many streams, or large requests, a gateway carries."""
_QUICK_LOOK_SECONDS: Final = 1.5
_LONGER: Final = 2.0
"""How much longer at most a fault lasts where requests are sent more slowly."""
_TOLD: Final = 5.0
"""Within so many seconds a sick target is to be left alone: a fault lasts as long as it takes to tell."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to rehearse."""

    gateway: str
    faults: Sequence[Fault]
    quick: bool = False


def drill(plan: Plan, request: Request, say: Say) -> Drill:
    """Rehearse a plan on a real gateway. GatewayError where it does not start or refuses its files."""
    return asyncio.run(_drill(plan, request, say))


async def _drill(plan: Plan, request: Request, say: Say) -> Drill:
    gateway = gateway_of(request.gateway)
    if gateway.PROGRAM is None:
        why = "nothing of ours stands between callers and providers"
        raise GatewayError(f"{request.gateway} cannot be drilled here", why=why, fix="drill a gateway such as envoy")
    found = version(gateway.PROGRAM)
    began = time.monotonic()
    wrong = Counter[str]()
    async with opened(plan, gateway) as lab:
        share, latency, ceiling = await _healthy(lab, request, say)
        _note_wrong(lab, wrong)
        flip = await _flip(lab, ceiling.through, request.quick, say) if gateway.PACE.flips else None
        _note_wrong(lab, wrong)
        if not gateway.PACE.boots_quickly:
            await lab.start(gateway.PACE.share)
        faults = []
        for fault in request.faults:
            say(f"{fault.name}: {fault.about}")
            faults.append(await _fault(lab, fault, ceiling.through, request.quick))
            _note_wrong(lab, wrong)
        took = time.monotonic() - began - lab.boot_seconds
    return Drill(
        schema=results.SCHEMA,
        plan=plan.name,
        gateway=request.gateway,
        version=found,
        config_sha256=config_hash(plan, request.gateway),
        quick=request.quick,
        stood_in=stood_in(plan, gateway),
        rate=gateway.PACE.rate,
        share_in_faults=float(gateway.PACE.share),
        faults=faults,
        share=share,
        latency=latency,
        ceiling=ceiling,
        flip=flip,
        wrong_model=wrong["model"],
        wrong_model_declared=any(MODEL in finding.faults for finding in gateway.findings(plan)),
        wrong_key=wrong["key"],
        seconds=round(took, 1),
    )


def _note_wrong(lab: Lab, wrong: "Counter[str]") -> None:
    """Count wrongly made requests and forget those that reached the providers."""
    models, keys = lab.wrong()
    wrong["model"] += models
    wrong["key"] += keys
    for upstream in lab.upstreams.values():
        upstream.hits.clear()


async def _healthy(lab: Lab, request: Request, say: Say) -> tuple[Share, Latency, Ceiling]:
    say("share and latency with everyone well")
    pace = lab.gateway.PACE
    await lab.start(Decimal("0.1"))
    seconds = 4.0 if request.quick else 8.0
    lanes = min(_LANES, pace.lanes)
    through: list[Record] = []
    direct: list[Record] = []
    for _ in range(4):
        through += await one_after_another(lab.load(), lanes=lanes, seconds=seconds / 4)
        direct += await one_after_another(lab.direct(), lanes=lanes, seconds=seconds / 8)
    for upstream in lab.upstreams.values():
        upstream.delay = 0.0
    limit = 1.5 if request.quick else 3.0
    fast = await one_after_another(lab.load(), lanes=pace.lanes, seconds=limit)
    bare = await one_after_another(lab.direct(), lanes=pace.lanes, seconds=limit)
    for upstream in lab.upstreams.values():
        upstream.delay = 0.02
    ceiling = Ceiling(through=_rate(fast), direct=_rate(bare))
    return _share(through + fast), _latency(through, direct), ceiling


def _share(records: Sequence[Record]) -> Share:
    answered = [record for record in records if record.ok]
    on_target = sum(record.served_by == "target" for record in answered)
    low, high = binomial.interval(on_target, len(answered))
    return Share(
        asked=0.1,
        requests=len(answered),
        target=on_target,
        got=_rounded(on_target / max(1, len(answered)), 4),
        low=_rounded(low, 4),
        high=_rounded(high, 4),
    )


def _latency(through: Sequence[Record], direct: Sequence[Record]) -> Latency:
    def at(records: Sequence[Record], part: float) -> float:
        return 1000 * (percentile([record.seconds for record in records if record.ok], part) or 0.0)

    return Latency(
        direct_p50_ms=_rounded(at(direct, 0.5), 2),
        added_p50_ms=_rounded(at(through, 0.5) - at(direct, 0.5), 2),
        added_p99_ms=_rounded(at(through, 0.99) - at(direct, 0.99), 2),
        requests=len(through),
    )


def _rate(records: Sequence[Record]) -> float:
    """Answers a second, from the first request to the last answer."""
    ends = [record.at + record.seconds for record in records]
    span = max(ends) - min(record.at for record in records)
    return _rounded(sum(record.ok for record in records) / span, 1)


async def _fault(lab: Lab, fault: Fault, ceiling: float, quick: bool) -> FaultResult:
    pace = lab.gateway.PACE
    share = fault.share or (pace.stream_share if fault.stream_pieces else pace.share)
    if pace.boots_quickly or fault.sickness == "dns":
        await lab.start(share, lost_name=fault.sickness == "dns")
    else:
        lab.flip(Decimal(0))  # nothing, and then something: what befell the target before is forgotten
        await one_after_another(lab.load(), lanes=1, count=1)
        lab.flip(share)
        await _until_target_answers(lab)
    load = lab.load(stream_pieces=fault.stream_pieces, padding=fault.padding)
    wanted = min(fault.rate or pace.rate, pace.stream_rate if fault.stream_pieces else pace.rate)
    carried = await _carried(lab, load, wanted, quick) if fault.stream_pieces or fault.padding else None
    rate = _sendable(wanted, ceiling if carried is None else carried)
    for upstream in lab.upstreams.values():
        upstream.hits.clear()
    traffic = Traffic(load, rate, fault.burst if pace.boots_quickly else 1)
    await asyncio.sleep(_WARM)
    sick = await lab.target.set(fault.sickness) if fault.sickness != "dns" else time.monotonic()
    gap = max(_GAP, _EXPECTED_IN_GAP / (rate * float(share)))
    await asyncio.sleep(_lasts(fault, min(_LONGER, wanted / rate), gap, quick))
    well = await lab.target.set("ok") if fault.sickness != "dns" else time.monotonic()
    back = None if fault.name in ("cut", "dns") or quick else await _back(lab, well)
    watched = time.monotonic() - well
    records = await traffic.stop()
    if fault.sickness == "dns" and not pace.boots_quickly:
        await lab.start(pace.share)
    return _fault_result(lab, fault, records, _Times(sick, well, back, watched, gap), _Rates(rate, carried))


def _lasts(fault: Fault, longer: float, gap: float, quick: bool) -> float:
    """Seconds of a fault: in a whole drill `longer` where requests are sent more slowly, and enough to see the gap."""
    if quick:
        return min(fault.seconds, _QUICK_SECONDS)
    tells = _TOLD + gap if gap > _GAP and fault.sickness not in ("dns", "flap") else 0.0
    return max(fault.seconds * longer, tells)


async def _carried(lab: Lab, load: Load, wanted: float, quick: bool) -> float:
    """Requests of this kind that are answered a second with everyone well, enough of them at one time."""
    lasts = load.stream_pieces * lab.gateway.PACE.piece_seconds
    lanes = max(lab.gateway.PACE.lanes, math.ceil(1.5 * wanted / _MOST * lasts))
    seconds = _QUICK_LOOK_SECONDS if quick else _LOOK_SECONDS
    return _rate(await one_after_another(load, lanes=lanes, seconds=seconds))


def _sendable(wanted: float, carried: float) -> float:
    """Requests a second that are sent to a gateway that carries so many."""
    return _rounded(min(wanted, max(_LEAST, _MOST * carried)), 2)


class _Rates(NamedTuple):
    """Requests a second: sent, and carried just before."""

    sent: float
    carried: float | None


class _Times(NamedTuple):
    """When a fault began and ended (monotonic), and what followed, in seconds."""

    sick: float
    well: float
    back: float | None
    watched: float
    gap: float


def _fault_result(lab: Lab, fault: Fault, records: Sequence[Record], times: _Times, rates: _Rates) -> FaultResult:
    sick, well, back, watched, gap = times
    during = [record for record in records if sick <= record.at < well]
    after = [record for record in records if record.at >= well]
    hits = _attempts(lab, fault, during, sick, well)
    spans = [record.seconds for record in during if record.ok]
    return FaultResult(
        fault=fault.name,
        rate=rates.sent,
        carried=rates.carried,
        sent=len(during),
        lost=sum(not record.ok for record in during),
        lost_after=sum(not record.ok for record in after),
        failures=dict(sorted(Counter(record.failure or "?" for record in during if not record.ok).items())),
        target_hits=len(hits) if fault.seen else None,
        left_alone_s=_left_alone(hits, well - sick, gap) if fault.sickness not in ("dns", "flap") else None,
        back_s=None if back is None else _rounded(back, 1),
        watched_s=_rounded(watched, 1),
        p50_ms=_milliseconds(percentile(spans, 0.5)),
        p99_ms=_milliseconds(percentile(spans, 0.99)),
        declared=any(fault.name in finding.faults for finding in lab.gateway.findings(lab.real)),
    )


def _attempts(lab: Lab, fault: Fault, during: Sequence[Record], sick: float, well: float) -> list[float]:
    """When the sick target was tried, in seconds after it fell sick: as it has seen it, or as the gateway says."""
    if fault.seen:
        return sorted(hit.at - sick for hit in lab.target.hits if sick <= hit.at < well)
    return sorted(record.at - sick for record in during if record.tries > 1)


def _left_alone(attempts: Sequence[float], seconds: float, gap: float) -> float | None:
    """The last attempt before the first gap of so many seconds; None without an attempt, or without such a gap."""
    if not attempts:
        return None
    last = attempts[0]
    for attempt in [*attempts, seconds]:
        if attempt - last > gap:
            return _rounded(last, 2)
        last = attempt
    return None


async def _back(lab: Lab, well: float) -> float | None:
    """Seconds until the target answers again."""
    while time.monotonic() - well < _BACK_LIMIT:
        hit = next((hit for hit in lab.target.hits if hit.at >= well), None)
        if hit is not None:
            return hit.at - well
        await asyncio.sleep(0.05)
    return None


async def _until_target_answers(lab: Lab) -> None:
    """Wait until a gateway that is not started anew sends requests to the target again."""
    limit = time.monotonic() + _REST_LIMIT
    while time.monotonic() < limit:
        records = await one_after_another(lab.load(), lanes=2, count=8)
        if any(record.served_by == "target" for record in records):
            return


async def _flip(lab: Lab, ceiling: float, quick: bool, say: Say) -> Flip:
    say("flip: everything away from the target and back, with streams under way")
    await lab.start(Decimal("0.5"))
    if not lab.gateway.PACE.boots_quickly:  # its first answers are slow
        await _until_target_answers(lab)
    traffic = Traffic(lab.load(), _sendable(min(20, lab.gateway.PACE.rate), ceiling))
    step = _QUICK_FLIP_STEP if quick else _FLIP_STEP
    many, pause = lab.gateway.PACE.streams, lab.gateway.PACE.piece_seconds
    load = lab.load(stream_pieces=int(_STREAM_SECONDS / pause), timeout=30)
    streams = asyncio.ensure_future(one_after_another(load, lanes=many, count=many))
    await asyncio.sleep(step)
    away = time.monotonic()
    await asyncio.to_thread(lab.flip, Decimal(0))
    command = time.monotonic() - away
    await asyncio.sleep(step)
    returned = time.monotonic()
    await asyncio.to_thread(lab.flip, Decimal("0.5"))
    await asyncio.sleep(step)
    records, streamed = await traffic.stop(), await streams
    hits = [hit.at for hit in lab.target.hits]
    again = [hit - returned for hit in hits if hit >= returned]
    return Flip(
        requests=len(records),
        lost=sum(not record.ok for record in records),
        streams=len(streamed),
        streams_on_target=sum(record.served_by == "target" for record in streamed),
        broken=sum(not record.ok for record in streamed),
        last_target_hit_s=_rounded(max([hit - away for hit in hits if away <= hit < returned], default=0.0), 3),
        command_s=_rounded(command, 3),
        back_on_target_s=_rounded(min(again), 2) if again else None,
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else _rounded(seconds * 1000, 1)


def _rounded(number: float, digits: int) -> float:
    return round(number, digits)
