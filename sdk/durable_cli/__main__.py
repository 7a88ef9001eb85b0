"""`python -m durable_cli`: the same as the `durable` command."""

from .main import main

if __name__ == "__main__":
    main()
