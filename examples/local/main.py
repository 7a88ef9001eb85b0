"""Local mode: a workflow in this process, without NATS and ports; breakpoints work."""

import durable


@durable.workflow
async def hello(ctx: durable.Context, name: str = "World") -> str:
    """Greets someone, in one step."""
    return await ctx.run("greet", greeting, name)


def greeting(name: str) -> str:
    """Stands for a side effect, such as a payment; set a breakpoint here."""
    return f"Hello, {name}! Welcome to Durable Execution on NATS JetStream."


def main() -> None:
    """Runs the example."""
    with durable.Client.local() as client:
        client.register(hello)
        client.serve_handlers()
        result = client.invoke(hello, "Local World")
        print("✓ Executed locally!")
        print("Result:", result)


if __name__ == "__main__":
    main()
