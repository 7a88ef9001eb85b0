"""Object stores: S3, Google Cloud Storage, Azure Blob Storage or a folder, behind one small interface.

`obstore` speaks to all of them. Its credentials come from the environment (`AWS_ACCESS_KEY_ID`,
`GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_KEY`, ..., or the machine's role), never from
the URL, which stands in the list of processes and in logs.

It is called in threads, because threads of its own end its coroutines. If one of those is late, and the
interpreter is about to end, the process aborts.

In a folder, files are of mode 0600 and folders of mode 0700, and a file is on the disk before `put`
returns, as an object of a service is.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote, urlsplit

from ..files import sync_folder
from .place import PlaceError, PlaceUnsuitableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")

_SCHEMES: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""The schemes of services, and the variables in which they look for what they need."""
_POSSIBLE: Final = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or a folder"
_RETRY_SECONDS: Final = 60.0
_RETRIES: Final = 6


class Objects:
    """The objects of one store below a prefix; made by `open_objects`. Paths have `/` between parts.

    Every method raises PlaceError when the store does not do what is asked.
    """

    def __init__(self, store: ObjectStore, name: str, folder: Path | None = None) -> None:
        self.name = name
        """The store for people: its URL or its folder."""
        self._store = store
        self._folder = folder
        self._made: set[Path] = set()

    async def put(self, path: str, data: bytes) -> None:
        """Writes an object, or replaces one."""

        def write() -> None:
            if self._folder is not None:
                self._make_folders(self._folder / path)
            self._store.put(path, data)
            if self._folder is not None:
                _settle(self._folder / path)

        await self._call(write, f"writing {path}")

    async def get(self, path: str) -> bytes | None:
        """Returns an object; None when there is none."""

        def read() -> bytes:
            return bytes(self._store.get(path).bytes())

        try:
            return await self._call(read, f"reading {path}")
        except FileNotFoundError:
            return None

    async def folders(self, path: str) -> list[str]:
        """Returns the names directly below a path that have objects below them, in order."""

        def read() -> list[str]:
            found = self._store.list_with_delimiter(path or None)
            return sorted(it.rpartition("/")[2] for it in found["common_prefixes"])

        return await self._call(read, f"listing {path or 'it'}")

    async def paths(self, path: str) -> list[str]:
        """Returns the paths of all objects below a path, in order."""

        def read() -> list[str]:
            return sorted(it["path"] for some in self._store.list(path) for it in some)

        return await self._call(read, f"listing {path}")

    async def delete(self, paths: Sequence[str]) -> None:
        """Removes objects, and passes over those that are not there."""
        try:
            if paths:
                await self._call(lambda: self._store.delete(list(paths)), f"removing {paths[0]}")
        except FileNotFoundError:
            # One of them was not there, so the rest may still be.
            for path in paths:
                await self._delete(path)
        # Folders that have become empty are gone.
        self._made.clear()

    async def _delete(self, path: str) -> None:
        try:
            await self._call(lambda: self._store.delete(path), f"removing {path}")
        except FileNotFoundError:
            return

    def _make_folders(self, path: Path) -> None:
        folder = path.parent
        if folder in self._made:
            return
        assert self._folder is not None
        try:
            missing = self._folder
            for part in folder.relative_to(self._folder).parts:
                missing /= part
                missing.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise PlaceError(f"{folder} cannot be made: {error.strerror}") from error
        self._made.add(folder)

    async def _call(self, call: Callable[[], T], doing: str) -> T:
        """Makes a call in a thread; raises FileNotFoundError for a missing object, else PlaceError."""
        from obstore.exceptions import BaseError

        try:
            return await asyncio.to_thread(call)
        except (BaseError, OSError, ValueError) as error:
            if re.search("NoSuchBucket|ContainerNotFound|bucket does not exist", str(error)):
                raise PlaceUnsuitableError(
                    f"{self.name}: there is no such bucket or container; make it, or name another"
                ) from error
            if isinstance(error, FileNotFoundError):
                raise
            kind, text = _explain(error, self.name)
            raise kind(f"{self.name}: {doing} failed: {text}") from error


def open_objects(url: str, *, create: bool = True) -> Objects:
    """Opens a store: `s3://`, `gs://`, `az://` or `file://`, or a folder, which is made if `create`.

    Nothing is asked of a service yet. Raises PlaceUnsuitableError with what to change.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return _open_folder(Path(url), create)
    try:
        parts = urlsplit(url)
        credentials = parts.username is not None or parts.password is not None
    except ValueError as error:
        raise PlaceUnsuitableError(
            f"{scheme}://... is not a URL: {error}; give {_POSSIBLE}"
        ) from error
    if credentials or parts.query or parts.fragment:
        # The URL itself is not repeated: it may have a secret.
        raise PlaceUnsuitableError(
            f"the {scheme}:// URL has credentials or options in it, and others can read those; put"
            f" them into the environment ({_SCHEMES.get(scheme, 'as the service documents them')}),"
            f" and give {_POSSIBLE}"
        )
    if scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise PlaceUnsuitableError(
                f"{url} names no folder of this machine; give file:///PATH, or the path"
            )
        return _open_folder(Path(unquote(parts.path)), create)
    if scheme not in _SCHEMES:
        raise PlaceUnsuitableError(f"{url}: {scheme}:// is not known here; give {_POSSIBLE}")
    if not parts.netloc:
        raise PlaceUnsuitableError(f"{url} names no bucket or container; give {_POSSIBLE}")
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        store = from_url(
            url,
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
            },
        )
    except (BaseError, ValueError) as error:
        raise PlaceUnsuitableError(f"{url} cannot be opened: {_explain(error, url)[1]}") from error
    return Objects(store, url.rstrip("/"))


def _open_folder(folder: Path, create: bool) -> Objects:
    from obstore.exceptions import BaseError
    from obstore.store import LocalStore

    path = folder.expanduser().absolute()
    if not create and not path.is_dir():
        raise PlaceUnsuitableError(
            f"there is no folder {path}; give the one with the backups, or a URL"
        )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceUnsuitableError(
            f"the folder {path} cannot be made: {error.strerror}; give another one, or its rights"
        ) from error
    try:
        # As it removes folders that have become empty, the next put makes them again.
        return Objects(LocalStore(path, automatic_cleanup=True), str(path), path)
    except (BaseError, OSError, ValueError) as error:
        raise PlaceUnsuitableError(
            f"the folder {path} cannot be used: {_explain(error, str(path))[1]}"
        ) from error


def _settle(path: Path) -> None:
    """Makes a new file readable for this user only, and durable."""
    try:
        with path.open("rb") as file:
            os.fchmod(file.fileno(), 0o600)
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise PlaceUnsuitableError(f"{path} cannot be written: {error.strerror}") from error


def _explain(error: Exception, name: str) -> tuple[type[PlaceError], str]:
    """Returns the kind of an error, and the error as one line with what to do about it."""
    # Below the first line stands the error once more, for developers.
    text = " ".join(str(error).partition("\n\nDebug source")[0].split())
    # Queries of requests may have signatures.
    text = re.sub(r"\?\S+", "", text)
    answer = re.search(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", text)
    if answer is not None:
        text = f"{answer[1]}: {answer[2]}"
    variables = _SCHEMES.get(name.partition("://")[0])
    if variables is None:
        return PlaceError, f"{text}; are its rights enough, and is there room?"
    refused = type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError")
    if "169.254." in text or "metadata.google" in text or "must be specified" in text:
        return PlaceUnsuitableError, f"no credentials are there: set {variables} ({text})"
    if refused or re.search(
        "(?: 403 | 401 |AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch)", text
    ):
        return PlaceUnsuitableError, (
            f"{text}; the credentials in the environment ({variables}) must permit to list, read,"
            " write and delete"
        )
    if " 301 " in text or "PermanentRedirect" in text:
        return PlaceUnsuitableError, f"{text}; is AWS_REGION that of the bucket?"
    return PlaceError, f"{text}; its settings come from the environment: {variables}"
