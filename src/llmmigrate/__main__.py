"""`python -m llmmigrate`."""

from llmmigrate.cli.app import main

if __name__ == "__main__":
    main()
