"""`python -m durable_server`: the same as the `durable` command."""

import os
import sys

# `-m` puts the current folder first, where a file `logging.py` would hide the standard module.
if sys.path[0] in ("", os.getcwd()):
    sys.path.append(sys.path.pop(0))

from durable_cli.main import main

if __name__ == "__main__":
    main()
