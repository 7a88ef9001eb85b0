"""Invokes a workflow over plain HTTP, as any language or curl can."""

import json
import urllib.request

from examples.launcher import started


def invoke(http: str, handler: str, argument: object) -> dict[str, object]:
    """Posts the input as JSON; returns the response, which contains the result."""
    request = urllib.request.Request(
        f"http://{http}/api/workflows/{handler}/invoke",
        data=json.dumps(argument).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        answer: dict[str, object] = json.load(response)
    return answer


def main() -> None:
    """Runs the example."""
    with started("examples.restate_style.workflows") as it:
        print(f"curl -X POST http://{it.http}/api/workflows/greeting/invoke -d '\"REST\"'")
        answer = invoke(it.http, "greeting", "REST")
        print(f"Status: {answer['status']}")
        print(f"Result: {answer['result']}")


if __name__ == "__main__":
    main()
