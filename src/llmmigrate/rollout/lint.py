"""A plan against reality: what its numbers mean at the traffic, the sizes and the latencies of a log."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

import msgspec

from llmmigrate.hosts import is_loopback
from llmmigrate.rollout import Timed
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.evidence import Evidence, about_evidence, used
from llmmigrate.rollout.plan import Plan, Role, Stage
from llmmigrate.rollout.remarks import LEVELS, Remark, remark
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.profile import Profile
from llmmigrate.usage.sketch import Sketch, merge, quantile, representative

SCHEMA: Final = "llmmigrate.lint/1"
RECOVERY_SECONDS: Final = 300
"""The longest that a rollback should take: the playbooks' five minutes."""


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What a log says about the traffic that is to be moved; null is unknown."""

    calls: int
    requests_per_second: float | None
    error_share: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    ttft_p95_ms: float | None
    prompt_p99_tokens: float | None
    timed_p95_ms: float | None
    """What the plan's gateway would have timed: to the first token where it times the first byte, else the answer."""
    slow_share: float | None
    """Part of the calls that took longer than the plan's limit, by what its gateway times."""


class Lint(msgspec.Struct, frozen=True, kw_only=True):
    """All remarks on a plan, the worst first."""

    schema: str
    plan: str
    traffic: Traffic | None
    evidence: Evidence
    """Results of shadow runs and audits that speak of the plan's target, and were used."""
    remarks: list[Remark]

    @property
    def errors(self) -> int:
        """How many remarks are errors."""
        return sum(each.level == "error" for each in self.remarks)


def lint(plan: Plan, profile: Profile | None, evidence: Evidence = Evidence()) -> Lint:  # noqa: B008 - frozen
    """What is to be said about a plan, with a log or without, and with what was found out about the target before."""
    traffic = _traffic(plan, profile) if profile is not None else None
    remarks = [*_about_providers(plan), *_about_contexts(plan), *_about_time(plan)]
    if traffic is not None and profile is not None:
        remarks += [*_about_windows(plan, traffic), *_about_latency(plan, traffic), *_about_errors(plan, traffic)]
        remarks += [*_about_prompts(plan, traffic), *_about_models(plan, profile)]
    remarks += about_evidence(plan, evidence)
    return Lint(
        schema=SCHEMA,
        plan=plan.name,
        traffic=traffic,
        evidence=used(plan, evidence),
        remarks=sorted(remarks, key=lambda each: LEVELS.index(each.level)),
    )


def _traffic(plan: Plan, profile: Profile) -> Traffic:
    calls = profile.total_calls()
    errors = sum(sum((cell.errors or {}).values()) for cell in profile.cells.values())
    sketches: tuple[Sketch, Sketch, Sketch] = ({}, {}, {})
    for each in profile.sketches.values():
        merge(sketches[0], each.latency_ms)
        merge(sketches[1], each.ttft_ms)
        merge(sketches[2], each.input_tokens)
    latency, ttft, prompt = sketches
    timed = _timed(plan, profile)
    return Traffic(
        calls=calls,
        requests_per_second=_rate(profile, calls),
        error_share=errors / calls if calls else None,
        latency_p95_ms=quantile(latency, 0.95),
        latency_p99_ms=quantile(latency, 0.99),
        ttft_p95_ms=quantile(ttft, 0.95),
        prompt_p99_tokens=quantile(prompt, 0.99),
        timed_p95_ms=quantile(timed, 0.95),
        slow_share=_slow_share(plan, timed),
    )


def _timed(plan: Plan, profile: Profile) -> Sketch:
    """Times as the plan's gateway would have taken them.

    The first byte of a call without a time to its first token is the whole answer's: it was not streamed. Where a model
    has calls of both kinds, the quickest of its answers stand for those: the part above a limit is never overstated.
    """
    timed: Sketch = {}
    to_first_byte = _times(plan) == "first_byte"
    for each in profile.sketches.values():
        if not to_first_byte:
            merge(timed, each.latency_ms)
            continue
        merge(timed, each.ttft_ms)
        merge(timed, _quickest(each.latency_ms, sum(each.latency_ms.values()) - sum(each.ttft_ms.values())))
    return timed


def _times(plan: Plan) -> Timed | None:
    """What the plan's gateway takes the time of; of one that takes none, whole answers are looked at."""
    return gateway_of(plan.gateway.kind).TIMES


def _quickest(sketch: Sketch, count: int) -> Sketch:
    found: Sketch = {}
    for index in sorted(sketch):
        if count <= 0:
            break
        found[index] = min(sketch[index], count)
        count -= found[index]
    return found


def _rate(profile: Profile, calls: int) -> float | None:
    """Requests a second over the log's span; None for a log without a span."""
    if profile.first_ns is None or profile.last_ns is None or profile.last_ns == profile.first_ns:
        return None
    return calls * NANOSECONDS / (profile.last_ns - profile.first_ns)


def _slow_share(plan: Plan, timed: Sketch) -> float | None:
    limit, total = plan.rollback.latency_p95, sum(timed.values())
    if limit is None or not total:
        return None
    return sum(count for index, count in timed.items() if representative(index) > float(limit * 1000)) / total


def _about_providers(plan: Plan) -> Iterator[Remark]:
    for role in plan.roles():
        provider = plan.provider(role)
        endpoint = provider.endpoint
        if endpoint.host.endswith((".example", ".invalid")):
            yield remark("warning", "placeholder", f"{role} is a placeholder: {provider.base_url}", "put in your own")
        if not endpoint.tls and provider.key and not is_loopback(endpoint.host):
            what = f"the key of {role} travels unencrypted to {endpoint.host}"
            yield remark("error", "key_in_clear", what, "use https")
    if urlsplit(plan.providers.current.base_url) == urlsplit(plan.providers.target.base_url):
        yield remark("note", "same_endpoint", "current and target are the same endpoint", "check that this is meant")
    if plan.providers.emergency is None:
        what = "there is no emergency provider: when current fails, its requests are lost"
        yield remark("note", "no_emergency", what, "add providers: emergency, such as a local model")


def _about_contexts(plan: Plan) -> Iterator[Remark]:
    """A chain whose context window shrinks: a request that fits the first may fit none that follows."""
    current = plan.providers.current.context
    others: list[Role] = [role for role in plan.roles() if role != "current"]
    for role in others:
        there = plan.provider(role).context
        if current is not None and there is not None and there < current:
            what = f"{role} holds {there:,} tokens, current {current:,}: longer requests fail there"
            yield remark("warning", "context_shrinks", what, "lint with --logs to see whether your prompts fit")


def _about_time(plan: Plan) -> Iterator[Remark]:
    windows, every = plan.rollback.windows, plan.monitoring.every
    worst = (windows + 1) * every
    if worst > RECOVERY_SECONDS:
        parts = f"{windows} windows of {every.normalize():f} s and the rest of one before them"
        what = f"a rollback can take {worst.normalize():f} s: {parts}"
        yield remark("warning", "slow_recovery", what, f"keep (windows + 1) × every below {RECOVERY_SECONDS} s")


def _about_windows(plan: Plan, traffic: Traffic) -> Iterator[Remark]:
    """Windows that hold too few requests for the trigger: it could never fire, or would at random."""
    rate = traffic.requests_per_second
    smallest = next((stage for stage in plan.stages if stage.part > 0), None)
    if smallest is None or rate is None:
        return
    needed, expected = plan.rollback.min_requests, rate * float(smallest.part * plan.monitoring.every)
    if expected < needed:
        yield _too_small(plan, smallest, rate, expected)
    elif expected < needed * 1.25:
        what = f"stage {smallest.name} has about {expected:.0f} requests a window, hardly the {needed} needed"
        yield remark("note", "window_tight", what, "quieter hours will be inconclusive")


def _too_small(plan: Plan, stage: Stage, rate: float, expected: float) -> Remark:
    needed = plan.rollback.min_requests
    seconds = math.ceil(needed / (rate * float(stage.part)) / 10) * 10
    part = f"{(stage.part * 100).normalize():f} %"
    what = (
        f"{part} of {rate:.3g} requests a second is {expected:.3g} a window; {needed} are needed: "
        "only failures in a row and ejections can go back"
    )
    if seconds * (plan.rollback.windows + 1) <= RECOVERY_SECONDS:
        return remark("error", "window_too_small", what, f"monitoring: {{every: {seconds}s}}")
    share = Decimal(needed) / Decimal(str(rate)) / plan.monitoring.every
    fix = (
        f"a stage of {math.ceil(share * 100)} %" if share <= 1 else "there is too little traffic for a trigger by rates"
    )
    return remark("error", "window_too_small", what, fix)


def _about_latency(plan: Plan, traffic: Traffic) -> Iterator[Remark]:
    limit, p95, p99 = plan.rollback.latency_p95, traffic.timed_p95_ms, traffic.latency_p99_ms
    if limit is not None and p95 is not None and traffic.slow_share is not None and traffic.slow_share > 0.05:
        yield _latency_limit(plan, limit, p95, traffic)
    if limit is not None and _times(plan) == "whole_answer" and traffic.ttft_p95_ms is not None:
        yield _streams_timed_whole(plan, traffic.ttft_p95_ms, traffic.latency_p95_ms)
    idle = plan.failover.idle_timeout
    if p99 is not None and p99 > float(idle * 1000):
        below = f"idle_timeout {idle.normalize():f} s is below the p99 of whole answers, {_ms(p99)}"
        what = f"{below}: those without stream are cut off"
        fix = f"idle_timeout: {math.ceil(p99 / 1000 * 1.5)}s, and billed attempts stay whole"
        yield remark("error", "idle_timeout", what, fix)


def _latency_limit(plan: Plan, limit: Decimal, p95: float, traffic: Traffic) -> Remark:
    """A limit that today's traffic breaks; only a warning where streams may have been logged by their ends alone."""
    to_first_byte = _times(plan) == "first_byte"
    unknown = to_first_byte and traffic.ttft_p95_ms is None
    measure = "to the first byte" if to_first_byte and not unknown else "whole answers"
    part = f"{_part(traffic.slow_share or 0)} of the calls in your log (p95 {_ms(p95)}, {measure})"
    what = f"{int(limit * 1000)} ms is below {part}"
    fix = f"latency_p95: {_suggested(p95)}: half as much again as today's p95, or leave it out"
    if not unknown:
        return remark("error", "latency_limit", what, fix)
    what += f"; {plan.gateway.kind} times the first byte, which your log does not tell"
    return remark("warning", "latency_limit", what, f"{fix}; where calls are streamed, log their times to first token")


def _streams_timed_whole(plan: Plan, ttft: float, latency: float | None) -> Remark:
    whole = f", whole answers {_ms(latency)}" if latency is not None else ""
    what = (
        f"{plan.gateway.kind} times whole answers and your log has streams "
        f"(p95 to the first token {_ms(ttft)}{whole}): latency_p95 is held against their whole length"
    )
    return remark("warning", "streams_timed_whole", what, "set it for whole answers, or leave it out for streams")


def _part(share: float) -> str:
    return "every one" if share == 1 else f"{share:.0%}"


def _suggested(p95: float) -> str:
    return f"{math.ceil(p95 * 1.5 / 100) * 100}ms"


def _ms(value: float) -> str:
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"


def _about_errors(plan: Plan, traffic: Traffic) -> Iterator[Remark]:
    limit = float(plan.rollback.error_rate)
    if traffic.error_share is not None and traffic.error_share >= limit:
        what = f"{traffic.error_share:.1%} of the calls in your log failed: the limit of {limit:.1%} is below today"
        yield remark("error", "error_limit", what, "find the cause first, or set error_rate above it")


def _about_prompts(plan: Plan, traffic: Traffic) -> Iterator[Remark]:
    prompt = traffic.prompt_p99_tokens
    for role in plan.roles():
        window = plan.provider(role).context
        if prompt is not None and window is not None and prompt > window:
            what = f"the p99 prompt of your log has {prompt:,.0f} tokens, {role} holds {window:,}"
            yield remark("error", "context_too_small", what, "take a model with a larger window, or keep those calls")


def _about_models(plan: Plan, profile: Profile) -> Iterator[Remark]:
    """Models of the log that keep their name at the target: a frequent cause of 404."""
    renamed = plan.providers.target.models
    kept = sorted({key.model for key in profile.cells if key.model is not None and key.model not in renamed})
    if kept:
        shown = ", ".join(kept[:5]) + (f" and {len(kept) - 5} more" if len(kept) > 5 else "")
        what = f"models of your log that the target is asked for under the same name: {shown}"
        yield remark("warning", "model_not_mapped", what, "add them to providers: target: models, if it names them so")
