"""``python -m bench [FIGURE…]``: all figures, or those named."""

from __future__ import annotations

import sys

from bench.data_path import cold_start, overhead
from bench.jobs import job_start

_FIGURES = {"overhead": overhead, "cold-start": cold_start, "job-start": job_start}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in _FIGURES]
    if unknown:
        sys.stderr.write(f"bench: no figure {', '.join(unknown)}; there are: {', '.join(_FIGURES)}\n")
        return 2
    for name in names or _FIGURES:
        print(f"-- {name}")
        _FIGURES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
