"""What machines of one's own cost by the hour and what others measured on them: `pricing/self-hosted.yaml`."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from llmmigrate import quantities
from llmmigrate.annotations import About, Written
from llmmigrate.errors import ConfigError, Location
from llmmigrate.typed_yaml import Source, compose, convert, json_schema

FILE_NAME: Final = "self-hosted.yaml"
VERSION: Final = 1

Number = Annotated[Decimal, Written(quantities.number, "2.60", ("string", "number"))]


@dataclass(frozen=True, kw_only=True)
class GpuHour:
    """The price of one GPU for one hour, from a date on."""

    hardware: Annotated[str, About("As in serving/hardware.yaml.")]
    usd: Annotated[Number, About("USD for one GPU and one hour.")]
    kind: Annotated[Literal["rental", "ownership"], About("A quoted price, or a calculated total cost.")]
    from_: Annotated[str, About("The day that it is known for, YYYY-MM-DD.")]
    grade: Annotated[Literal["A", "B", "C"], About("How well it is known, as in the price tables.")]
    source: str


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Tokens a second of all devices together, as somebody measured and published them."""

    model: str
    precision: str
    engine: str
    hardware: Annotated[str, About("As in serving/hardware.yaml.")]
    count: Annotated[int, About("How many devices.")]
    observed: Annotated[str, About("The day on which it was read, YYYY-MM-DD.")]
    source: str
    concurrency: Annotated[int | None, About("Requests at one time.")] = None
    input_tokens: Annotated[int | None, About("Input tokens of one request.")] = None
    output_tokens: Annotated[int | None, About("Output tokens of one request.")] = None
    output_per_second: Annotated[Number | None, About("Output tokens a second.")] = None
    tokens_per_second: Annotated[Number | None, About("Input and output tokens a second.")] = None

    @property
    def input_per_second(self) -> Decimal | None:
        """Input tokens a second: the rest of the total, or what the lengths of a request say."""
        if self.output_per_second is None:
            return None
        if self.tokens_per_second is not None:
            return self.tokens_per_second - self.output_per_second
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.output_per_second * self.input_tokens / self.output_tokens


@dataclass(frozen=True, kw_only=True)
class SelfHosted:
    """Prices of machines by the hour, and published throughputs."""

    schema: Annotated[int, About("Version of this file's form.")]
    checked: Annotated[str, About("The day on which all entries were looked at.")]
    currency: Literal["USD"]
    gpu_hours: tuple[GpuHour, ...]
    throughputs: tuple[Throughput, ...]

    def gpu_hour(self, hardware: str | None) -> GpuHour | None:
        """The latest price of a kind of hardware, None where there is none."""
        known = [entry for entry in self.gpu_hours if entry.hardware == hardware]
        return max(known, key=lambda entry: entry.from_, default=None)


@cache
def read_self_hosted(path: Path) -> SelfHosted:
    """The file at `path`. ConfigError, with the place, for what is wrong in it."""
    source = Source(path.read_text(encoding="utf-8"), str(path))
    node = compose(source)
    if node is None:
        raise ConfigError("the file is empty", where=Location(str(path)), fix=f"start with `schema: {VERSION}`")
    found: SelfHosted = convert(node, SelfHosted, source)
    return found


def self_hosted_schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    return json_schema(SelfHosted)
