"""Keys and secrets in files: created once, read at each use, with helpful errors."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from durable_server.webhooks.files import SecretError, SecretFiles, WebhookKeyError, own_keys
from durable_server.webhooks.service import open_webhooks
from durable_server.webhooks.tokens import Claim

CLAIM = Claim("a", 1)
FIRST, SECOND = "1" * 64, "2" * 64


def test_a_data_dir_has_one_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    keys = own_keys(tmp_path)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [len(key) for key in keys] == [64]
    assert own_keys(tmp_path) == keys
    # A process that died while it made the key leaves something that no later one minds.
    file.rename(tmp_path / "webhook.key.new")
    assert own_keys(tmp_path) != keys


def test_given_keys_come_before_the_own_one(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{FIRST}\n{SECOND}\n")
    by_file = open_webhooks(tmp_path, key_file=file, key_text="", secrets_dir=None)
    by_text = open_webhooks(tmp_path, key_file=None, key_text=f"{SECOND} {FIRST}", secrets_dir=None)
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
    assert by_file.keyring.sign(CLAIM) != by_text.keyring.sign(CLAIM)
    assert by_file.keyring.read(by_text.keyring.sign(CLAIM)) == CLAIM
    assert by_text.keyring.read(by_file.keyring.sign(CLAIM)) == CLAIM


@pytest.mark.parametrize(("text", "words"), [("", "no key"), (f"{FIRST} short", "5 characters")])
def test_a_bad_key_file_is_an_error_without_its_content(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(WebhookKeyError, match=f"{file}.*{words}.*openssl") as caught:
        open_webhooks(tmp_path, key_file=file, key_text="", secrets_dir=None)
    assert "short" not in str(caught.value)
    with pytest.raises(WebhookKeyError, match="cannot be read"):
        open_webhooks(tmp_path, key_file=tmp_path / "none", key_text="", secrets_dir=None)
    with pytest.raises(WebhookKeyError, match="DURABLE_WEBHOOK_KEY has a key of 3"):
        open_webhooks(tmp_path, key_file=None, key_text="abc", secrets_dir=None)


def test_secrets_are_lines_and_are_read_each_time(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path)
    with pytest.raises(SecretError, match=r"no secret 'shop'.*--webhook-secrets-dir"):
        files.read("shop")
    (tmp_path / "shop").write_bytes(b" whsec_1\r\n\n")
    assert files.read("shop") == [b"whsec_1"]
    (tmp_path / "shop").write_bytes(b"whsec_2\nwhsec_1")
    assert files.read("shop") == [b"whsec_2", b"whsec_1"]
    (tmp_path / "shop").write_bytes(b"\n")
    with pytest.raises(SecretError, match="empty"):
        files.read("shop")


@pytest.mark.parametrize("name", ["", ".", "..", "../shop", "a/b", ".hidden", "a" * 65, "a\0"])
def test_a_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (tmp_path / "shop").write_text("whsec")
    with pytest.raises(SecretError, match="not a secret's name"):
        SecretFiles(folder).read(name)


def test_without_a_folder_there_are_no_secrets() -> None:
    with pytest.raises(SecretError, match="--webhook-secrets-dir"):
        SecretFiles(None).read("shop")
