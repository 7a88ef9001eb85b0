"""A control plane in a process, which all tests of a module bombard; and how long they do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, settings

from durable_proto.v1 import control_pb2, control_pb2_grpc
from tests.support.processes import Child, durable, running, until

F = TypeVar("F", bound=Callable[..., Any])
INTERNALS = re.compile(
    r"Traceback|<class|object at 0x|\.py\b|Error\(|asyncio|msgspec|grpc\.|protobuf|sqlite"
)
"""What an answer must not contain."""


@pytest.fixture(scope="session")
def fuzz(request: pytest.FixtureRequest) -> settings:
    """How many examples a test takes; a longer run draws others each time."""
    count: int = request.config.getoption("--fuzz-examples")
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=count <= 100,
        suppress_health_check=list(HealthCheck),
    )


class Plane:
    """One control plane as a process."""

    def __init__(self, child: Child, address: str, http: str) -> None:
        self.child = child
        self.address = address
        self.http = http
        self.channel = grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", -1)]
        )
        self.control = control_pb2_grpc.DurableControlStub(self.channel)

    def check(self) -> None:
        """Fails if it does not serve, or has found a defect in itself."""
        assert self.child.process.poll() is None, self.child.text()
        self.control.GetStats(control_pb2.GetStatsRequest(), timeout=20)
        said = self.child.text()
        assert "Traceback" not in said, said[-5000:]
        assert "incident" not in said, said[-5000:]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane. After the tests, another one must be able to start with what it leaves."""
    folder = tmp_path_factory.mktemp("hostile")
    with started(folder, folder / "log") as found:
        yield found
        found.check()
        found.channel.close()
        assert found.child.terminate() == 0
    with started(folder, folder / "second-log") as again:
        again.check()
        again.channel.close()


class started:  # used as a function
    """Runs a control plane on the data dir of a folder."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._ready = folder / "ready"
        self._ready.unlink(missing_ok=True)
        self._running = running(
            durable(
                "server", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
                "--data-dir", str(folder / "data"), "--ready-file", str(self._ready),
            ),
            log,
        )  # fmt: skip

    def __enter__(self) -> Plane:
        child = self._running.__enter__()
        until(self._ready.exists, "ready file", child)
        found = json.loads(self._ready.read_text())
        return Plane(child, found["address"], found["http"])

    def __exit__(self, *error: Any) -> None:
        self._running.__exit__(*error)


def check_error(error: grpc.RpcError) -> None:
    """Fails for an error that is a defect, lacks its reason, or tells of the program's inside."""
    assert isinstance(error, grpc.Call)
    code, text = error.code(), error.details() or ""
    assert code not in (
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.DATA_LOSS,
    ), (code, text)
    assert INTERNALS.search(text) is None, text
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])  # type: ignore[arg-type]  # binary metadata is bytes
    info = error_details_pb2.ErrorInfo()
    assert any(it.Unpack(info) for it in status.details)
    assert info.reason
