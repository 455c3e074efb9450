"""Lets vLLM or SGLang read command lines with the parser that is its own; run by the Python that has it.

    PYTHON own_parser.py vllm|sglang < LINES

LINES is a JSON array of command lines, each an array of words after `serve`. Prints how many were understood.
"""

import argparse
import json
import sys
from typing import Any


def parser_of(engine: str) -> Any:
    if engine == "vllm":
        from vllm.entrypoints.launchers.cli_args import make_arg_parser
        from vllm.utils.argparse_utils import FlexibleArgumentParser

        return make_arg_parser(FlexibleArgumentParser())
    from sglang.srt.server_args import ServerArgs

    parser = argparse.ArgumentParser()
    ServerArgs.add_cli_args(parser)
    return parser


def main() -> None:
    parser, lines = parser_of(sys.argv[1]), json.load(sys.stdin)
    for words in lines:
        parser.parse_args(words)  # ends the program at what it does not know
    print(f"understood {len(lines)}")


if __name__ == "__main__":
    main()
