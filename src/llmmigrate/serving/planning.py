"""From a model and devices to a plan: what is chosen and why, what would do instead, the exact command."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from llmmigrate.errors import UsageError
from llmmigrate.serving import results
from llmmigrate.serving.catalogue import Model, Recipe, find_model, hardware, models
from llmmigrate.serving.checkpoints import is_path, own_model
from llmmigrate.serving.downloads import cache_folder, missing_bytes
from llmmigrate.serving.engines import Launch, Order, find_executable, installed_version, load_engine
from llmmigrate.serving.exports import Deployment
from llmmigrate.serving.fit import Choice, Wish, choices, memory_share
from llmmigrate.serving.pool import CPU, Pool, pool_of

SHOWN: Final = 3
"""Other machines and other models that a plan names."""
LONG_CONTEXT: Final = 1 << 19
LONG_SEQUENCES: Final = 32
"""Requests at one time where the context is long: where vLLM's recipe for a million tokens says to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an endpoint listens."""

    host: str
    port: int

    @property
    def base_url(self) -> str:
        """Where clients of this machine find it."""
        name = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A model weighed against a pool."""

    name: str
    model: Model
    pool: Pool
    found: tuple[Choice, ...]

    @property
    def chosen(self) -> Choice | None:
        """The choice to launch, None where nothing fits."""
        return next((choice for choice in self.found if choice.fits), None)


def decide(name: str, pools: Sequence[Pool], wish: Wish) -> Decision:
    """The first pool that a model fits on, else the largest one. UsageError for a wish that no model could grant."""
    decisions = [_weighed(name, pool, wish) for pool in pools]
    return next((decision for decision in decisions if decision.chosen is not None), decisions[0])


def _weighed(name: str, pool: Pool, wish: Wish) -> Decision:
    key, model = own_model(Path(name).expanduser(), pool) if is_path(name) else find_model(name)
    _check(key, model, wish)
    found = _installed_first(choices(key, model, pool, wish), pool)
    if not found:
        raise UsageError(
            f"{model.title} does not run on {_title(wish.engine)} in any precision asked for",
            fix=f"leave out --engine or --precision; there are {', '.join(_ways(model))}",
        )
    return Decision(name=key, model=model, pool=pool, found=tuple(found))


def _check(name: str, model: Model, wish: Wish) -> None:
    known = {checkpoint.precision.casefold() for checkpoint in model.checkpoints}
    if wish.precision is not None and wish.precision.casefold() not in known:
        raise UsageError(
            f"{model.title} has no checkpoint in {wish.precision}", fix=f"choose one of: {', '.join(sorted(known))}"
        )
    if wish.context is not None and wish.context > model.shape.context:
        raise UsageError(
            f"--context {wish.context} is more than {model.title} has", fix=f"write --context {model.shape.context}"
        )


def _title(engine: str | None) -> str:
    return load_engine(engine).TITLE if engine is not None else "any engine"


def _ways(model: Model) -> list[str]:
    pairs = (
        f"{checkpoint.precision} on {load_engine(engine).TITLE}"
        for checkpoint in model.checkpoints
        for engines in checkpoint.runs_on.values()
        for engine in engines
    )
    return list(dict.fromkeys(pairs))


def _installed_first(found: list[Choice], pool: Pool) -> list[Choice]:
    """Of equal choices for this machine, those whose engine is installed come first."""
    if not pool.found:
        return found
    have = {engine: installed_version(load_engine(engine)) is not None for engine in {c.engine for c in found}}
    return sorted(found, key=lambda choice: (not choice.fits, choice.checkpoint.rough, not have[choice.engine]))


def siblings(decision: Decision, wish: Wish) -> list[Choice]:
    """Other models that fit on the same devices, the strongest first."""
    others = ((name, model) for name, model in models().items() if name != decision.name)
    plain = replace(wish, context=None, precision=None, force=False)
    firsts = (next(iter(choices(name, model, decision.pool, plain)), None) for name, model in others)
    fitting = [choice for choice in firsts if choice is not None and choice.fits and not choice.checkpoint.rough]
    fitting.sort(key=lambda choice: load_engine(choice.engine).SPLIT == "layers")  # slow with many requests at a time
    return fitting[:SHOWN]


def machines(decision: Decision, wish: Wish) -> list[Choice]:
    """The least of each kind of hardware that the same model fits on, what is most like the devices here first."""
    wished = replace(wish, force=False)
    found = [_least(decision, pools, wished) for pools in _pools_by_kind()]
    fitting = [choice for choice in found if choice is not None]
    here = decision.pool
    fitting.sort(
        key=lambda choice: (
            choice.checkpoint.rough,
            choice.pool.platform != here.platform,
            choice.pool.architecture != here.architecture,
            choice.pool.nodes,
            choice.pool.count,
        )
    )
    return fitting[: 2 * SHOWN]


def _pools_by_kind() -> Iterable[list[Pool]]:
    for name, item in hardware().items():
        powers = [1 << power for power in range(item.per_node.bit_length()) if 1 << power <= item.per_node]
        yield [pool_of(name, item, count) for count in (*powers, item.per_node * 2)]


def _least(decision: Decision, pools: list[Pool], wish: Wish) -> Choice | None:
    for pool in pools:
        found = choices(decision.name, decision.model, pool, wish)
        if found and found[0].fits:
            return found[0]
    return None


def order_for(choice: Choice, model: Model, place: Place) -> Order:
    """What to ask the engine for."""
    checkpoint = choice.checkpoint
    return Order(
        checkpoint=checkpoint.repo,
        weights_bytes=checkpoint.size,
        precision=checkpoint.precision,
        served_name=choice.model,
        file=checkpoint.file,
        platform=choice.pool.platform,
        tensor=choice.tensor,
        data=choice.data,
        expert_parallel=checkpoint.expert_parallel,
        context=choice.context,
        utilisation=memory_share(choice.pool, load_engine(choice.engine)),
        kv_precision=checkpoint.kv_on(choice.pool.architecture or ""),
        draft_tokens=choice.draft_tokens,
        recipe=recipe_of(choice, model),
        host=place.host,
        port=place.port,
        sequences=_sequences(choice),
    )


def _sequences(choice: Choice) -> int | None:
    """Most requests at one time; None leaves it to the engine."""
    if load_engine(choice.engine).SEQUENCES is not None:
        return choice.sequences(choice.context)
    return LONG_SEQUENCES if choice.context >= LONG_CONTEXT else None


def recipe_of(choice: Choice, model: Model) -> Recipe | None:
    """What the engine needs for this model, checkpoint and hardware."""
    return model.recipe(choice.engine, choice.pool.architecture or "", choice.checkpoint.precision)


def launch_for(choice: Choice, model: Model, place: Place) -> Launch:
    """The command line of a choice. A checkpoint of one's own needs no network."""
    launch = load_engine(choice.engine).launch(order_for(choice, model, place))
    offline = {"HF_HUB_OFFLINE": "1"} if choice.checkpoint.folder is not None else {}
    return replace(launch, environment={**launch.environment, **offline, **choice.pool.visible})


def deployment_of(decision: Decision, place: Place, *, header: str) -> Deployment:
    """A decision that fits, as what an export needs to know."""
    choice = decision.chosen
    if choice is None:
        raise ValueError("only a plan that fits can be exported")
    engine, launch = load_engine(choice.engine), launch_for(choice, decision.model, place)
    recipe, image = recipe_of(choice, decision.model), engine.IMAGES.get(choice.pool.platform)
    known = recipe.version if recipe is not None else None
    version = known or f"${{ENGINE_VERSION:?name the version of {engine.TITLE}}}"
    return Deployment(
        name=f"llmmigrate-{decision.name}",
        title=f"{decision.model.title} in {choice.checkpoint.precision} on {engine.TITLE}",
        program=find_executable(engine) or f"/usr/local/bin/{engine.EXECUTABLE}",
        arguments=launch.arguments[1:],
        environment=dict(launch.environment),
        directory=launch.directory,
        platform=choice.pool.platform,
        count=choice.pool.count,
        host=place.host,
        port=place.port,
        image=image.format(version=version) if image is not None else None,
        folder=choice.checkpoint.folder,
        key_variable=engine.KEY_VARIABLE,
        header=header,
    )


def plan(
    decision: Decision,
    wish: Wish,
    place: Place,
    *,
    command: str,
    version: str,
    cost: results.PlanCost | None = None,
    traffic: results.PlanTraffic | None = None,
    problems: Sequence[str] = (),
) -> results.Plan:
    """The plan of a decision. Where nothing fits it names what would: other models here, other machines for it."""
    chosen = decision.chosen
    return results.Plan(
        schema="llmmigrate.plan/1",
        command=command,
        version=version,
        model=_model_record(decision),
        hardware=_hardware_record(decision.pool),
        fits=chosen is not None,
        chosen=choice_record(chosen) if chosen is not None else None,
        choices=[choice_record(choice) for choice in decision.found],
        siblings=[elsewhere(choice) for choice in siblings(decision, wish)] if chosen is None else [],
        machines=[elsewhere(choice) for choice in machines(decision, wish)] if chosen is None else [],
        launch=_launch_record(chosen, decision.model, place) if chosen is not None else None,
        cost=cost,
        traffic=traffic,
        notes=_notes(chosen, decision.model) if chosen is not None else [],
        problems=list(problems),
    )


def _model_record(decision: Decision) -> results.PlanModel:
    model = decision.model
    return results.PlanModel(
        name=decision.name, title=model.title, type=model.type, parameters=model.shape.parameters,
        active_parameters=model.shape.active, context=model.shape.context, source=model.source,
    )  # fmt: skip


def _hardware_record(pool: Pool) -> results.PlanHardware:
    return results.PlanHardware(
        name=pool.name, title=pool.title, platform=pool.platform, architecture=pool.architecture, count=pool.count,
        nodes=pool.nodes, memory_bytes=pool.memory_bytes, free_bytes=pool.free_bytes, found=pool.found,
    )  # fmt: skip


def choice_record(choice: Choice) -> results.PlanChoice:
    """A choice as it stands in the JSON."""
    known = choice.verdict != "unknown_memory"
    return results.PlanChoice(
        checkpoint=choice.checkpoint.repo,
        precision=choice.checkpoint.precision,
        engine=load_engine(choice.engine).TITLE,
        split=load_engine(choice.engine).SPLIT,
        tensor_parallel=choice.tensor,
        data_parallel=choice.data,
        expert_parallel=choice.checkpoint.expert_parallel,
        checkpoint_bytes=choice.checkpoint.size,
        checkpoint_bytes_basis=choice.checkpoint.basis,
        weights_bytes=choice.weights_bytes,
        kv_bytes_per_token=choice.kv_token_bytes,
        usable_bytes=choice.usable_bytes if known else None,
        kv_tokens=choice.kv_tokens if known else None,
        context=choice.context,
        sequences_at_full_context=choice.sequences(choice.context) if known else None,
        draft_tokens=choice.draft_tokens,
        verdict=choice.verdict,
        why=choice.why,
        links=list(choice.refusal.links) if choice.refusal is not None else [],
        missing_bytes=choice.missing_bytes if known else None,
    )


def elsewhere(choice: Choice) -> results.Elsewhere:
    """A choice as an alternative."""
    pool = choice.pool
    return results.Elsewhere(
        model=choice.model,
        hardware=f"{pool.count}x{pool.name}" if pool.name is not None else str(pool),
        precision=choice.checkpoint.precision,
        engine=load_engine(choice.engine).TITLE,
        context=choice.context,
    )


def _launch_record(choice: Choice, model: Model, place: Place) -> results.PlanLaunch:
    engine, here = load_engine(choice.engine), choice.pool.found
    launch = launch_for(choice, model, place)
    return results.PlanLaunch(
        engine=engine.TITLE,
        engine_version=installed_version(engine) if here else None,
        download_bytes=missing_bytes(choice.checkpoint, cache_folder()) if here else None,
        arguments=list(launch.arguments),
        environment=dict(launch.environment),
        served_model=launch.served_model,
        base_url=place.base_url,
        needs_key=engine.KEY_VARIABLE is not None,
        steps=steps(choice, launch) if choice.pool.nodes > 1 else [],
    )


def steps(choice: Choice, launch: Launch) -> list[str]:
    """What to type on each machine, where a plan takes several: a Ray cluster for vLLM, ranks for SGLang."""
    pool = choice.pool
    words = shlex.join(launch.arguments)
    if choice.engine == "sglang":
        joined = f"{words} --nnodes {pool.nodes} --dist-init-addr FIRST_MACHINE:20000"
        return [f"machine {rank + 1}: {joined} --node-rank {rank}" for rank in range(pool.nodes)]
    return [
        "machine 1: ray start --head --port=6379",
        *(f"machine {rank}: ray start --address=FIRST_MACHINE:6379" for rank in range(2, pool.nodes + 1)),
        f"machine 1: {words} --distributed-executor-backend ray",
    ]


def _notes(choice: Choice, model: Model) -> list[results.PlanNote]:
    architecture, precision = choice.pool.architecture or "", choice.checkpoint.precision
    concerned = [
        results.PlanNote(text=note.text, source=note.source)
        for note in model.notes
        if note.concerns(choice.engine, architecture, precision, draft=bool(choice.draft_tokens))
    ]
    hardware = choice.pool.hardware
    if hardware is not None and not choice.pool.found and hardware.basis == "assumed":
        concerned.append(
            results.PlanNote(text=f"the memory of {hardware.title} is assumed, not read", source=hardware.source)
        )
    if choice.checkpoint.rough:
        rough = "so few bits a weight are left that answers suffer: compare them before you rely on it"
        concerned.append(results.PlanNote(text=rough, source=choice.checkpoint.source))
    if choice.pool.platform == CPU:
        concerned.append(
            results.PlanNote(text="on the processor alone this is for trying out, not for load", source=None)
        )
    return concerned
