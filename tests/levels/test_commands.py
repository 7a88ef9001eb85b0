"""What a user reads when versions or clocks do not fit: one line each, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from durable_server.config import Config, ConfigError
from durable_server.core.levels import FORMAT_LEVEL
from tests.cli.conftest import run
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import control_plane

from .next_version import LEVEL, VERSION

NEXT = "tests.levels.next_version"


def ended_with(folder: Path, *options: str, module: str = "durable_server") -> str:
    """Starts a control plane that ends by itself; returns the last line that it has written."""
    with pytest.raises(AssertionError, match="ended while waiting"):  # noqa: SIM117
        with control_plane(folder, *options, module=module):
            pass
    lines = (folder / "server.log").read_text().splitlines()
    assert "Traceback" not in "\n".join(lines)
    return lines[-1]


def test_one_process_raises_the_level_at_its_start(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (_, address):
        told = run("cluster", "--json", address=address).json
        assert (told["format_level"], told["nodes"][0]["format_level"]) == (FORMAT_LEVEL,) * 2
    with control_plane(tmp_path, "--format-level", str(FORMAT_LEVEL), module=NEXT) as (_, address):
        told = run("cluster", "--json", address=address).json
        assert (told["format_level"], told["nodes"][0]["format_level"]) == (FORMAT_LEVEL, LEVEL)
        shown = run("cluster", address=address)
        assert (
            f"warning: all nodes can read format level {LEVEL}, and the system has {FORMAT_LEVEL}: it"
            " rises by itself within a minute, unless a node holds it (--format-level)\n"
        ) in shown.err
    with control_plane(tmp_path):  # the way back is open
        pass
    with control_plane(tmp_path, module=NEXT) as (_, address):
        assert run("cluster", "--json", address=address).json["format_level"] == LEVEL
        assert "warning" not in run("cluster", address=address).err
    assert ended_with(tmp_path) == (
        f"durable: this system has format level {LEVEL}, and this version (0.1.0) reads up to"
        f" {FORMAT_LEVEL}; start version {VERSION}, or a newer one"
    )
    assert ended_with(tmp_path, "--format-level", str(FORMAT_LEVEL), module=NEXT) == (
        f"durable: --format-level {FORMAT_LEVEL}: this system has format level {LEVEL}, and the level"
        " never falls; leave --format-level out"
    )


@pytest.mark.parametrize("level", [-1, FORMAT_LEVEL + 1])
def test_a_level_that_this_version_cannot_read_is_refused(level: int) -> None:
    with pytest.raises(ConfigError, match=f"--format-level {level} is not a number from 1 to"):
        Config(format_level=level).check()


async def test_nodes_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    async with (
        external_nats(tmp_path / "nats", JETSTREAM) as nats,
        external_nats(tmp_path / "other", JETSTREAM) as other,
    ):
        node = ("--nats", nats.url, "--partitions", "2", "--node")
        with control_plane(tmp_path / "a", *node, "a") as (_, address):
            monkeypatch.setenv("DURABLE_TEST_CLOCK", "60.5")
            assert ended_with(tmp_path / "b", *node, "b", module=NEXT) == (
                "durable: the clock of this machine is 60 s ahead of that of node a: let NTP set it,"
                " and start again"
            )
            monkeypatch.delenv("DURABLE_TEST_CLOCK")
            with control_plane(tmp_path / "b", *node, "b", module=NEXT):
                shown = run("cluster", address=address)
                assert (
                    f"warning: the nodes run different versions (0.1.0, {VERSION}): end the"
                    " upgrade\n"
                ) in shown.err
                line = ended_with(tmp_path / "c", *node, "a")
                assert "a node of the name a runs already and is reached by the others at" in line
                assert "give this one another name with --node, or stop that one" in line
            line = ended_with(
                tmp_path / "c", "--nats", nats.url, "--partitions", "3", "--node", "c"
            )
            assert line.startswith("durable: --partitions 3: this system has 2 partitions, and the")
            assert "leave --partitions out" in line
            line = ended_with(tmp_path / "b", "--nats", other.url, "--node", "b")
            assert line.startswith("durable: the stores in the data directory are of system ")
            assert "name the right one with --nats" in line
