"""``python -m genie.supervisor HOME``: one of the two twins. Started by ``genie up`` and by the other twin."""

import sys
from pathlib import Path

from setproctitle import setproctitle

from clustergenie.settings import Home
from genie.supervisor.twins import serve

if __name__ == "__main__":
    setproctitle(f"genie supervisor {sys.argv[1]}")
    serve(Home(Path(sys.argv[1])))
