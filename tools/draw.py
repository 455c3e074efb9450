"""Screens as SVG, light and dark, drawn from what the commands really show."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from tools.screens import ROOT, show, workplace

IMAGES: Final = ROOT / "docs" / "img"
COLUMNS: Final = 106
SCREENS: Final = {
    "analyze": "llmmigrate analyze samples/logs.jsonl",
    "estimate": "llmmigrate estimate samples/logs.jsonl",
}

Color = tuple[int, int, int]


def _theme(background: Color, foreground: Color, yellow: Color) -> TerminalTheme:
    """A theme in which only yellow, the colour of warnings, differs from the text."""
    colors = [foreground] * 3 + [yellow] + [foreground] * 4
    return TerminalTheme(background, foreground, colors, colors)


THEMES: Final[Mapping[str, TerminalTheme]] = {
    "light": _theme((255, 255, 255), (31, 35, 40), (154, 103, 0)),
    "dark": _theme((13, 17, 23), (230, 237, 243), (210, 153, 34)),
}

# As rich's own format, but without fonts from the network, and with a border that both themes show.
FORMAT: Final = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{
font: {char_height}px/{line_height}px ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}}
.{unique_id}-title {{ font: bold 18px system-ui, "DejaVu Sans", sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""


def images() -> Iterator[tuple[Path, str]]:
    """Every image and its text."""
    for name, line in SCREENS.items():
        with workplace():
            shown = show(f"COLUMNS={COLUMNS} NO_COLOR= FORCE_COLOR=1 {line}").out
        for theme in THEMES:
            yield IMAGES / f"{name}-{theme}.svg", draw(f"{name}-{theme}", f"$ {line}", shown, THEMES[theme])


def draw(name: str, title: str, shown: str, theme: TerminalTheme) -> str:
    """A terminal with this title and text (with its colours) as SVG."""
    console = Console(record=True, file=io.StringIO(), width=COLUMNS, legacy_windows=False)
    console.print(Text.from_ansi(shown.rstrip()), soft_wrap=True)
    svg = console.export_svg(title=title, theme=theme, code_format=FORMAT, unique_id=name)
    svg = svg.replace("rgba(255,255,255,0.35)", "#8c959f").replace(">\n</", "></").replace("><text", ">\n<text")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"
