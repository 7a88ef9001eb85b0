"""Invokes a workflow whose values are encrypted, and reads them with and without the key."""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import durable
from examples.launcher import ROOT, durable_command, start, started, wait

MODULE = "examples.encryption.workflows"


def command(*arguments: str, address: str) -> str:
    """Runs a `durable` command; returns the last line that it prints."""
    environment = {**os.environ, "DURABLE_ADDRESS": address}
    line = durable_command(*arguments)
    ended = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, check=True)
    return ended.stdout.decode().strip().splitlines()[-1]


def main() -> None:
    """Runs the example."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="durable-")))
        keys = scratch / "keys"
        durable.KeyFile.add(keys, "2026-11")
        os.environ |= {"DURABLE_KEY_FILE": str(keys), "DURABLE_CODEC": f"{MODULE}:codec"}
        from examples.encryption.workflows import bill, codec

        it = stack.enter_context(started(MODULE))
        client = stack.enter_context(durable.Client(it.address, codec=codec))
        invocation_id = client.invoke_async(bill, "Ada", "a cold")
        result = client.get_result(invocation_id, bill).value()
        print(f"🔑 A client with the codec reads: {result['for']}")

        with durable.Client(it.address) as other:
            try:
                other.get_result(invocation_id, bill).value()
            except durable.UndecodableValueError as error:
                print(f"🔒 A client without it: {str(error).partition(',')[0]}")

        durable.KeyFile.add(keys, "2026-12")
        print(f"🔁 After a rotation, a new bill: {client.invoke(bill, 'Bob', 'a cough')['for']}")
        print(f"🔁 and the old one: {client.get_result(invocation_id, bill).value()['for']}")

        ready = scratch / "codec.ready"
        line = [sys.executable, str(ROOT / "examples/codec_server.py"), "--key-file", str(keys)]
        line += ["--listen", "127.0.0.1:0", "--ready-file", str(ready)]
        log = scratch / "codec.log"
        wait(lambda: ready.exists() and ready.read_text() != "", start(stack, line, log), log)
        endpoint = ("--codec-endpoint", ready.read_text())
        shown = command("invoke", "bill", '{"patient": "Eve", "diagnosis": "a cut"}', *endpoint,
                        address=it.address)  # fmt: skip
        print(f"🧑 A person with the codec endpoint: {shown}")


if __name__ == "__main__":
    main()
