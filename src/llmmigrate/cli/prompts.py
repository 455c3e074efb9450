"""What looks at the prompts of a log while it is read: a prefix cache, tokenizers that count the text, an audit."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from llmmigrate.cli.console import Console

if TYPE_CHECKING:
    from llmmigrate.costing.assumptions import Ratio
    from llmmigrate.costing.audit.parts import PartAudit
    from llmmigrate.costing.caching import PrefixCache
    from llmmigrate.costing.potential import PrefixCaching
    from llmmigrate.costing.tokenizers import TextCounter
    from llmmigrate.logs.reader import CallSink
    from llmmigrate.usage.call import Call


class Watch(NamedTuple):
    """What was asked for; None was not."""

    cache: "PrefixCache | None"
    counter: "TextCounter | None"
    audit: "PartAudit | None"

    @property
    def wanted(self) -> bool:
        """Whether prompts have to be read at all."""
        return any(part is not None for part in self)

    def sink(self) -> "CallSink | None":
        """What is told every call."""
        watchers = [part.add for part in (self.cache, self.counter) if part is not None]
        audit = self.audit

        def tell(call: "Call", place: str) -> None:
            for watcher in watchers:
                watcher(call)
            if audit is not None:
                audit.add(call, place)

        return tell if self.wanted else None

    def ratios(self, console: Console) -> "Mapping[tuple[str, str], Ratio]":
        """The ratios that were counted; that there was no text is said."""
        if self.counter is None:
            return {}
        if not self.counter.calls:
            console.warn("--tokenizer: the log keeps no texts; the published ratios are used")
        return self.counter.ratios()

    def caching(self, console: Console) -> "PrefixCaching | None":
        """What a prefix cache could serve; that there were no prompts is said."""
        found = None if self.cache is None else self.cache.result()
        if self.cache is not None and found is None:
            console.warn("--prefix-cache: the log has no prompts with an instant; nothing is said of a cache")
        return found


def watch(*, prefix_cache: bool, tokenizers: Mapping[str, str], audit: "PartAudit | None") -> Watch:
    """What `--prefix-cache`, `--tokenizer NAME=FILE` and `--mix` ask for."""
    return Watch(_cache() if prefix_cache else None, _counter(tokenizers) if tokenizers else None, audit)


def _cache() -> "PrefixCache":
    from llmmigrate.costing.caching import PrefixCache

    return PrefixCache()


def _counter(files: Mapping[str, str]) -> "TextCounter":
    from llmmigrate.costing.tokenizers import TextCounter

    return TextCounter(files)
