"""`python -m durable_cli`: the same as the `durable` command."""

import os
import sys

# `-m` puts the current folder first, where a `logging.py` would hide the standard module.
if sys.path[0] in ("", os.getcwd()):
    sys.path.append(sys.path.pop(0))

from .main import main

if __name__ == "__main__":
    main()
