"""One file per command of ``genie``."""
