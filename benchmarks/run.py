"""Measures the commands and writes docs/benchmarks.md: `python -m benchmarks.run [--peers] [--rounds N]`.

The logs it needs are made on first use in benchmarks/.data (1.5 GB, not in version control). `--peers` also makes a
virtual environment there with litellm, which is too heavy to be a dependency; without it litellm is "not measured".
"""

import argparse
import compileall
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.jobs import LITELLM, PROFILES, SIZES, baseline_jobs, peer_jobs, product_jobs
from benchmarks.make_logs import write_log
from benchmarks.measure import Job, run_alternating
from benchmarks.report import write_report
from benchmarks.targets import TARGETS

from llmmigrate.prices import bundled_directory, compiled, table_paths

FOLDER = Path(__file__).parent
DATA = FOLDER / ".data"
DOCUMENT = FOLDER.parent / "docs" / "benchmarks.md"
PACKAGE = FOLDER.parent / "src" / "llmmigrate"
TABLES = bundled_directory()
"""Both are compiled before anything is measured, as by an installation."""
PEERS_PYTHON = DATA / "peers" / "bin" / "python"


def main() -> None:
    """Make what is missing, measure, write the document."""
    options = parse_options()
    sizes = [size for size in SIZES if size != "5m" or not options.quick]
    command = shlex.split(options.command)
    compileall.compile_dir(PACKAGE, quiet=1)
    compiled.write(TABLES, table_paths(TABLES, imported=False))
    make_logs(sizes)
    if options.peers:
        make_peers()
    for size in PROFILES:
        make_profile(command, size)
    jobs = [job for job in list_jobs(command, sizes) if options.only in job.name]
    results = run_alternating(jobs, options.rounds, say)
    said = f"--rounds {options.rounds}{' --quick' if options.quick else ''}{' --peers' if options.peers else ''}"
    document = write_report(results, TARGETS, options.rounds, datetime.now(UTC).date(), said)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(document, encoding="utf-8")
    say(f"wrote {options.output.name}")


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="leave out the 5M lines")
    parser.add_argument("--only", default="", metavar="TEXT", help="only jobs whose name contains TEXT")
    parser.add_argument("--peers", action="store_true", help="install litellm into an environment of its own")
    parser.add_argument("--command", default=str(Path(sys.executable).with_name("llmmigrate")), help="what to measure")
    parser.add_argument("-o", "--output", type=Path, default=DOCUMENT)
    return parser.parse_args()


def list_jobs(command: Sequence[str], sizes: Sequence[str]) -> list[Job]:
    """Ours, the baselines, and litellm where its environment exists."""
    jobs = [*baseline_jobs(DATA, sizes), *product_jobs(command, DATA, sizes)]
    if not PEERS_PYTHON.exists():
        say("litellm is not measured: run once with --peers")
        return jobs
    return [*jobs, *peer_jobs("litellm", str(PEERS_PYTHON), DATA)]


def make_logs(sizes: Sequence[str]) -> None:
    """The logs that are not there yet."""
    for size in sizes:
        path = DATA / f"{size}.jsonl"
        if not path.exists():
            say(f"making {path.name}")
            write_log(SIZES[size], path)


def make_profile(command: Sequence[str], size: str) -> None:
    """The saved profile of a log; made anew, as its format may have changed."""
    profile = DATA / f"{size}.profile.json"
    profile.unlink(missing_ok=True)
    ingest = [*command, "ingest", str(DATA / f"{size}.jsonl"), "-o", str(profile)]
    if subprocess.run(ingest, capture_output=True, check=False).returncode:
        say(f"no profile of {size}: `ingest` failed, so what reads it will fail too")


def make_peers() -> None:
    """An environment with litellm."""
    if PEERS_PYTHON.exists():
        return
    say(f"installing {LITELLM}")
    subprocess.run([sys.executable, "-m", "venv", str(PEERS_PYTHON.parents[1])], check=True)
    subprocess.run([str(PEERS_PYTHON), "-m", "pip", "install", "--quiet", LITELLM], check=True)


def say(words: str) -> None:
    """Tell the person at the terminal."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
