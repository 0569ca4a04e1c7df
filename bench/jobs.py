"""From the moment ``POST /api/v1/jobs`` has answered to the moment a worker holds the job, through the running stack."""

from __future__ import annotations

import statistics
import time
from datetime import datetime

from tests.e2e.stack import Stack, running_stack

_JOBS = 60
_WARM_UP = 5


def job_start() -> None:
    """Target p50 ≤ 30 ms after the POST returned; the POST itself, measured in the same run, is the yardstick."""
    with running_stack() as stack:
        cluster = stack.create_cluster("bench")
        for _ in range(_WARM_UP):
            stack.finished(stack.create_job(cluster))
        posts, starts = zip(*(_one(stack, cluster) for _ in range(_JOBS)), strict=True)
        post, start = statistics.median(posts), statistics.median(starts)
        worst = sorted(starts)[int(_JOBS * 0.95)]
        print(f"job start        p50 {start * 1e3:.1f} ms   p95 {worst * 1e3:.1f} ms after the POST returned")
        print(f"POST itself      p50 {post * 1e3:.1f} ms   ratio of job start to POST {start / post:.2f}")


def _one(stack: Stack, cluster: str) -> tuple[float, float]:
    """Seconds of the POST, and from its answer to the claim of the first attempt."""
    begun = time.perf_counter()
    job_id = stack.create_job(cluster)
    post = time.perf_counter() - begun
    answered = time.time()
    stack.finished(job_id)
    attempts = stack.get(f"/api/v1/jobs/{job_id}?include=attempts")["attempts"]
    claimed = datetime.fromisoformat(attempts[0]["claimed_at"]).timestamp()
    return post, max(0.0, claimed - answered)
