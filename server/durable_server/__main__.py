"""`python -m durable_server`: the same as the `durable` command."""

from .cli import main

if __name__ == "__main__":
    main()
