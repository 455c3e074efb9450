"""`llmmigrate` and `python -m llmmigrate`."""

import sys


def run() -> None:
    """Run the command line and exit; an interrupt while it is still being loaded is answered as any other."""
    try:
        from llmmigrate.cli.app import main
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    main()


if __name__ == "__main__":
    run()
