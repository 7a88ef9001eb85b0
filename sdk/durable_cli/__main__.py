"""`python -m durable_cli`: the same as the `durable` command."""

import os
import sys

# `-m` puts the current folder first, and a `logging.py` there is not what we mean by that name.
if sys.path[0] in ("", os.getcwd()):
    sys.path.append(sys.path.pop(0))

from .main import main

if __name__ == "__main__":
    main()
