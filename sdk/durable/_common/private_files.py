"""Files that only their owner may read: keys, and the tokens of `durable login`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_private(path: Path, data: bytes) -> None:
    """Writes a file, or replaces one: afterwards it is there as before, or with all of the data.

    Raises OSError.
    """
    # mkstemp creates the file with O_EXCL and mode 0600; the rename leaves no half file.
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as new:
            new.write(data)
            new.flush()
            os.fsync(number)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
