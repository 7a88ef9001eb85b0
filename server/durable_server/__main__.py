"""`python -m durable_server`: the same as the `durable` command."""

from durable_cli.main import main

if __name__ == "__main__":
    main()
