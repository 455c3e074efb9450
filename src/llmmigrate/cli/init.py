"""`llmmigrate init`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import command, new_app
from llmmigrate.errors import UsageError, unknown_name

app = new_app()

SCHEMA_PLACE: Final = ".llmmigrate/config.schema.json"
"""Where the schema lies beside the settings: editors find it there offline, whichever version wrote it."""

_TEMPLATE: Final = """\
# yaml-language-server: $schema={schema}
# Settings of llmmigrate. Every key is optional; what starts with a # is off.
# Flags win over LLMMIGRATE_* environment variables, these win over this file. See all in force: --show-config
version: 1

# Logs to read when none are named: files, globs, directories.
logs: [logs/*.jsonl]

# Where the traffic is now and where it might go.
{origin}
{target}

# Endpoints that requests are sent to; known vendors have defaults. Keys stay in environment variables.
# providers:
#   openai: {{base_url: "https://api.openai.com/v1", api_key_env: OPENAI_API_KEY, rpm: 600, tpm: 2M, concurrency: 16}}
#   local: {{base_url: "http://127.0.0.1:8000/v1", api_key_env: LOCAL_KEY, dialect: openai-chat, price: zero}}

# Which model replaces which; keep stays where it is.
# map: {{o3: glm-5, gpt-4.1-mini: keep}}

# What a name in the logs means, where it is not the vendor's own, and prices that are not in the public tables.
# aliases: {{my-deployment: openai/gpt-4o-2024-08-06}}
# prices: [./contract.yaml]
# discounts: {{openai: 12%}}

# The comparison on logged requests: what part is replayed, what it may cost, which of them, and what is demanded of the
# target. Gates that are named here replace the defaults; "< 1%" is about the target alone, "<= +1pt" against today.
# shadow: {{canary: 10%, max_cost: 25 USD, gates: {{errors: "<= +1pt", latency_p95: "<= 1.2x", agreement: ">= -5pt"}}}}

# Limits and assumptions of the other commands.
# check: {{cost_per_1000_calls: "<= +5%", output_tokens_per_call: "<= +5%", unpriced_calls: 0}}
# report: {{one_off_cost: 8000 USD, horizon: 24 months, discount: 8%}}
"""


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """The command line of `init`."""

    from_: Annotated[
        str | None, typer.Option("--from", metavar="P/M", help="Where the traffic is now, as provider/model.")
    ] = None
    to: Annotated[str | None, typer.Option(metavar="P/M", help="Where it might go, as provider/model.")] = None
    ci: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Write a job of github or gitlab instead: a cost check.")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False
    rollout: Annotated[bool, typer.Option("--rollout", help="Write a migration.yaml instead: the way there.")] = False
    from_playbook: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="With --rollout: take over the ROLLBACK_CONFIG of a migration playbook."),
    ] = None


@command(app)
def init(options: InitOptions, console: Console) -> int:
    """Write a commented llmmigrate.yaml here.

    \b
    Examples:
      llmmigrate init
      llmmigrate init --from openai/o3 --to zai/glm-5
      llmmigrate init --rollout
      llmmigrate init --ci github
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import whole_file
    from llmmigrate.config import FILE_NAME, schema

    if options.ci is not None:
        return _write_job(options, options.ci, console)
    if options.rollout or options.from_playbook:
        return _write_plan(options, console)
    text = settings_text(options.from_, options.to)
    if Path(FILE_NAME).exists() and not options.force:
        raise UsageError(f"{FILE_NAME} already exists", fix="edit it, or overwrite it with --force")
    Path(SCHEMA_PLACE).parent.mkdir(exist_ok=True)
    with whole_file(SCHEMA_PLACE) as stream:
        stream.write((json.dumps(schema(), indent=2, sort_keys=True) + "\n").encode())
    with whole_file(FILE_NAME) as stream:
        stream.write(text.encode())
    console.say(f"wrote {FILE_NAME} and {SCHEMA_PLACE}")
    console.say("→ llmmigrate analyze")
    return 0


def _write_job(options: InitOptions, system: str, console: Console) -> int:
    """Write a job of a CI system; exit code 0. UsageError for an unknown one, and with options of another file."""
    from llmmigrate.cli.ci_files import CI_FILES
    from llmmigrate.cli.output import whole_file

    if system not in CI_FILES:
        raise unknown_name("CI system", system, CI_FILES)
    if options.rollout or options.from_playbook or options.from_ or options.to:
        raise UsageError("--ci writes a job alone", fix=f"llmmigrate init --ci {system}")
    made = CI_FILES[system]
    if Path(made.path).exists() and not options.force:
        raise UsageError(f"{made.path} already exists", fix="edit it, or overwrite it with --force")
    Path(made.path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(made.path) as stream:
        stream.write(made.text.encode())
    console.say(f"wrote {made.path}")
    console.say(f"→ {made.then}")
    return 0


def _write_plan(options: InitOptions, console: Console) -> int:
    """Write migration.yaml from what is known; exit code 0."""
    from llmmigrate.cli.output import whole_file
    from llmmigrate.cli.planning import plan_text
    from llmmigrate.rollout.plan import FILE_NAME, schema
    from llmmigrate.rollout.template import SCHEMA_PLACE as PLAN_SCHEMA_PLACE

    text = plan_text(options.from_, options.to, options.from_playbook, console)
    if Path(FILE_NAME).exists() and not options.force:
        raise UsageError(f"{FILE_NAME} already exists", fix="edit it, or overwrite it with --force")
    Path(PLAN_SCHEMA_PLACE).parent.mkdir(exist_ok=True)
    with whole_file(PLAN_SCHEMA_PLACE) as stream:
        stream.write((json.dumps(schema(), indent=2, sort_keys=True) + "\n").encode())
    with whole_file(FILE_NAME) as stream:
        stream.write(text.encode())
    console.say(f"wrote {FILE_NAME} and {PLAN_SCHEMA_PLACE}")
    console.say("→ llmmigrate rollout lint")
    return 0


def settings_text(origin: str | None, target: str | None) -> str:
    """What `init` writes. UsageError for a name that is no provider/model."""
    return _TEMPLATE.format(
        schema=SCHEMA_PLACE,
        origin=_side("from", origin, "openai/o3"),
        target=_side("to", target, "zai/glm-5"),
    )


def _side(key: str, given: str | None, example: str) -> str:
    """One side's line; a comment with an example where it is not given."""
    provider, _, model = (given or example).partition("/")
    if not provider or not model:
        raise UsageError(f"'{given}' is no provider/model", fix=f"write --{key} {example}")
    line = f"{key}: {{provider: {json.dumps(provider)}, model: {json.dumps(model)}}}"
    return line if given else f"# {line}".replace('"', "")
