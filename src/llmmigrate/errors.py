"""Every error that a user can meet.

    LlmmigrateError               exit 2 unless said otherwise
    ├── UsageError                flags and arguments that do not fit
    ├── ConfigError               llmmigrate.yaml or a policy file
    ├── InputError                logs that cannot be read (`code` names why: no_records, not_text, …)
    │   └── AmbiguousFormatError  a record fits two log formats
    ├── GatewayError              a gateway that is missing, does not run or refuses its files
    ├── RolloutRefusedError       exit 1: a stage that may not be taken now
    ├── PriceTableError           a price table that breaks its schema or its rules
    ├── EndpointError             an endpoint that refuses everything: the key, the model, the quota
    ├── ServingError              a model that cannot be served (`code` names why: does_not_fit, port_taken, …)
    └── UnknownNameError          a provider, model, format, report … that does not exist

An error says what is wrong, where, why, and what to do. It is rendered in one place, `cli/app.py`.
"""

import difflib
from collections.abc import Iterable
from typing import NamedTuple


class Location(NamedTuple):
    """A place in a file: 1-based line and column, and the line's text where it may be shown."""

    path: str
    line: int | None = None
    column: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)


class LlmmigrateError(Exception):
    """Base of all errors that are reported without a traceback."""

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: Location | None = None,
        why: str | None = None,
        fix: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix
        self.code = code


class UsageError(LlmmigrateError):
    """Flags or arguments that do not fit."""


class ConfigError(LlmmigrateError):
    """A configuration file that cannot be used."""


class InputError(LlmmigrateError):
    """Logs that cannot be read."""


class AmbiguousFormatError(InputError):
    """A record that fits two log formats alike."""


class GatewayError(LlmmigrateError):
    """A gateway that is missing, does not run or refuses its files."""


class NotInForceError(GatewayError):
    """A stage that is written, and that the gateway was asked about and does not have in force."""

    exit_code = 3


class RolloutRefusedError(LlmmigrateError):
    """A stage that may not be taken now: it is locked, or was never proved."""

    exit_code = 1


class PriceTableError(LlmmigrateError):
    """A price table that breaks its schema or its rules."""


class EndpointError(LlmmigrateError):
    """An endpoint that refuses everything that is sent to it."""


class ServingError(LlmmigrateError):
    """A model that cannot be served here, or an engine that failed."""


class UnknownNameError(LlmmigrateError):
    """A name that is not known; carries a suggestion when one is near."""


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names most like `name`, best first; only ever a suggestion."""
    return difflib.get_close_matches(name.casefold(), sorted(known), n=limit, cutoff=0.6)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """An `UnknownNameError` for `name`, with the nearest known names as its fix."""
    names = sorted(known)
    near = nearest(name, names)
    fix = f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(names)}"
    return UnknownNameError(f"unknown {kind} '{name}'", fix=fix)
