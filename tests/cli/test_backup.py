"""`durable backup` and `durable restore`: what they print, to a pipe, a terminal and a program."""

from __future__ import annotations

import re
from pathlib import Path

from .conftest import Cli, run
from .test_terminal import shown


def test_what_is_printed_to_a_pipe(cli: Cli, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    made = run("backup", place, "--data-dir", str(cli.data_dir))
    assert made.code == 0, made
    lines = made.out.splitlines()
    backup_id = lines[0].split()[1]
    assert re.fullmatch(r"backup  \d{8}T\d{6}Z-[0-9a-f]{6}", lines[0])
    assert re.fullmatch(r"system  [0-9a-f]{32}", lines[1])
    assert lines[2] == f"place   {place}"
    assert re.fullmatch(r"size    [\d.]+ .iB, [\d.]+ .iB there", lines[3])
    assert lines[4].split() == ["PARTITION", "POSITION", "SIZE"]
    assert re.fullmatch(r"0 +[\d,]+ +[\d.]+ .iB", lines[5])
    assert len(lines) == 6
    assert made.err == (
        "not in it: the keys that sign webhooks (those of --webhook-key-file or DURABLE_WEBHOOK_KEY,"
        " if any); keep them too, for URLs that were given out\n"
    )

    listed = run("backup", place, "--list").out.splitlines()
    assert listed[0].split() == ["BACKUP", "SYSTEM", "TIME", "PARTITIONS", "SIZE", "THERE"]
    assert [it.split()[0] for it in listed[1:]] == [backup_id]

    restored = run("restore", place, "--data-dir", str(tmp_path / "new"))
    assert restored.code == 0, restored
    assert f"backup {backup_id} of system {lines[1].split()[1]}" in restored.out
    assert f"run it: durable server --data-dir {tmp_path / 'new'}; for the old" in restored.err


def test_what_a_program_gets(cli: Cli, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    key = cli.data_dir / "webhook.key"
    key.touch()
    try:
        made = run("backup", place, "--data-dir", str(cli.data_dir), "--json").json
    finally:
        key.unlink()
    assert made["webhook_keys"] == str(key)
    [part] = made["partitions"]
    assert part["partition"] == 0
    assert part["position"]["sequence"] > 0
    assert part["store_bytes"] > part["stored_bytes"] > 0
    listed = run("backup", place, "--list", "--json").json
    kept = ("backup_id", "system_id", "time_ms", "partitions")
    assert listed == {"backups": [{name: made[name] for name in kept}], "incomplete": []}
    restored = run("restore", place, "--data-dir", str(tmp_path / "new"), "--json").json
    assert restored["backup"] == listed["backups"][0]
    assert restored["system_id"] not in ("", made["system_id"])


def test_progress_on_a_terminal(cli: Cli, tmp_path: Path) -> None:
    files = Cli("", cli.data_dir)
    place = str(tmp_path / "place")
    for line in (
        ("backup", place, "--data-dir", str(cli.data_dir)),
        ("restore", place, "--data-dir", str(tmp_path / "new")),
    ):
        text = shown(files, *line)
        assert f"{line[0]}  [####" in text
        assert "100%" in text
        # What it prints follows on a line of its own.
        assert re.search(r"100%[^\n]*\n", text)


def test_a_password_in_an_argument_is_refused(cli: Cli, tmp_path: Path) -> None:
    secret = "hush-hush"
    done = run("backup", f"s3://key:{secret}@bucket/x", "--data-dir", str(cli.data_dir))
    assert done.code == 1
    assert "has credentials or options in it" in done.err
    line = ("restore", str(tmp_path), "--data-dir", str(tmp_path / "new"))
    other = run(*line, "--nats", f"nats://me:{secret}@127.0.0.1:4222")
    assert other.code == 2
    assert "put the URL into the environment variable DURABLE_NATS_URL" in other.err
    assert secret not in done.err + other.err
