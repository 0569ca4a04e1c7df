"""``python -m genie``: the same as ``genie``."""

from genie.cli import main

main()
