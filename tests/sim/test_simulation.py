"""The simulation, run with many seeds; a failure names its seed, which reproduces the run.

`pytest tests/sim --seeds 2000` runs more seeds, `--seed N` runs one.
"""

from __future__ import annotations

import gc
import logging
from pathlib import Path

import pytest

from .virtual import run
from .world import World


@pytest.mark.timeout(3600)  # as long as its seeds take
def test_every_program_ends_once_with_the_right_result(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # What is logged is kept until the test ends, and errors in it keep whole worlds.
    logging.disable(logging.ERROR)
    request.addfinalizer(lambda: logging.disable(logging.NOTSET))
    one = request.config.getoption("--seed")
    seeds = range(request.config.getoption("--seeds")) if one is None else [one]
    compensated = runs = forked = 0
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = World(seed, folder)
        try:
            run(world.run(clients=8, workers=2))
        except BaseException as error:
            error.add_note(f"seed {seed}: run it alone with --seed {seed}")
            raise
        finally:
            world.close()
        assert world.executions
        compensated += world.compensated
        runs += world.runs
        forked += world.forked
        # Its parts name each other, and the stores' caches are large.
        del world
        gc.collect()
    assert (compensated and runs and forked) or one is not None
