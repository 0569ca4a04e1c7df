"""The rules. Each looks at one thing and says what it saw, on what evidence, and what could be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clustergenie.clock import rfc3339
from clustergenie.diagnosis._snapshot import Sample, Snapshot

#: Percent above which a metric is a problem, and how bad a one.
LIMITS: Mapping[str, tuple[float, str]] = {
    "cpu": (80.0, "warning"), "memory": (85.0, "critical"), "disk": (90.0, "critical"),
}  # fmt: skip
#: Fewer droplets than this do not survive the loss of one.
REDUNDANT = 2
#: Fewer droplets than this leave little room for load.
ROOMY = 5
_ADVICE = {
    "cpu": "Add a droplet or use a larger size: the processors are busy",
    "memory": "Use a larger size or restart what leaks: memory is nearly used up",
    "disk": "Free disk space or attach a volume: the disks are nearly full",
}
_GRAVITY = ("healthy", "warning", "critical")


@dataclass(frozen=True)
class Finding:
    """What one rule saw. ``gravity`` is how bad it is: healthy, warning or critical."""

    insight: str
    evidence: str
    recommendation: str | None = None
    gravity: str = "healthy"


@dataclass(frozen=True)
class Diagnosis:
    """What all rules saw. ``assessment`` is the gravest of them; ``snapshot`` what they looked at."""

    snapshot: Snapshot
    findings: tuple[Finding, ...]

    @property
    def assessment(self) -> str:
        return max((finding.gravity for finding in self.findings), key=_GRAVITY.index)

    @property
    def recommendations(self) -> list[str]:
        advice = [finding.recommendation for finding in self.findings if finding.recommendation]
        return list(dict.fromkeys(advice)) or ["Everything looks well; no action is needed"]

    @property
    def summary(self) -> str:
        """One sentence that names the cluster's state."""
        cluster = self.snapshot.cluster
        droplets = _counted(self.snapshot.droplets)
        return (
            f"Cluster {cluster.name} ({cluster.id}) in {cluster.region} is {cluster.status} with {droplets}; "
            f"assessed as {self.assessment}. {self.recommendations[0]}."
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "cluster": self.snapshot.cluster.to_json(),
            "status": self.snapshot.cluster.status,
            "assessment": self.assessment,
            "droplet_count": len(self.snapshot.droplets),
            "insights": [finding.insight for finding in self.findings],
            "recommendations": self.recommendations,
            "evidence": [finding.evidence for finding in self.findings],
            "taken_at": rfc3339(self.snapshot.taken_at),
        }


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Apply every rule. A pure function: the same snapshot gives the same diagnosis."""
    return Diagnosis(snapshot, tuple(finding for rule in _RULES for finding in rule(snapshot)))


def _status(snapshot: Snapshot) -> Iterator[Finding]:
    cluster = snapshot.cluster
    advice = {
        "healthy": None,
        "warning": "Look for what changed: use larger droplets or add monitoring",
        "critical": "Act at once: check the droplets, restart or replace those that fail",
    }[cluster.status]
    checked = f"status={cluster.status}, last checked {rfc3339(cluster.last_checked)}"
    yield Finding(f"Cluster {cluster.name} is {cluster.status}", checked, advice, cluster.status)
    yield Finding(f"It runs in region {cluster.region}", f"region={cluster.region}")


def _droplets(snapshot: Snapshot) -> Iterator[Finding]:
    count = len(snapshot.droplets)
    listed = ", ".join(f"{droplet.id} {droplet.status}" for droplet in snapshot.droplets[:20]) or "none"
    evidence = f"droplets: {listed}"
    insight = f"It has {_counted(snapshot.droplets)}"
    if count == 0:
        yield Finding(insight, evidence, "Create the first droplet: nothing can run here yet", "warning")
    elif count < REDUNDANT:
        yield Finding(
            insight, evidence, "Add a droplet for redundancy: one is a single point of failure", "warning"
        )
    elif count < ROOMY:
        yield Finding(insight, evidence, "Consider scaling up before load grows")
    else:
        yield Finding(insight, evidence)


def _failed_droplets(snapshot: Snapshot) -> Iterator[Finding]:
    failed = [droplet.id for droplet in snapshot.droplets if droplet.status == "failed"]
    if failed:
        gravity = "critical" if len(failed) == len(snapshot.droplets) else "warning"
        insight = f"{len(failed)} of {len(snapshot.droplets)} droplets have failed"
        yield Finding(insight, f"failed: {', '.join(failed[:20])}", "Replace the failed droplets", gravity)


def _regions(snapshot: Snapshot) -> Iterator[Finding]:
    elsewhere = sorted({droplet.region for droplet in snapshot.droplets} - {snapshot.cluster.region})
    if elsewhere:
        insight = f"Some droplets run outside its region: {', '.join(elsewhere)}"
        yield Finding(insight, f"regions: {snapshot.cluster.region}, {', '.join(elsewhere)}")


def _jobs(snapshot: Snapshot) -> Iterator[Finding]:
    if not snapshot.jobs:
        yield Finding("No other jobs ran in the last day", "jobs in 24 h: 0")
        return
    counts = Counter(job.status for job in snapshot.jobs)
    evidence = "jobs in 24 h: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    failed = [job for job in snapshot.jobs if job.status == "failed"]
    if not failed:
        yield Finding(f"{len(snapshot.jobs)} jobs in the last day, none failed", evidence)
        return
    last = f"{failed[0].id}: {failed[0].error}"
    insight = f"{len(failed)} of {len(snapshot.jobs)} jobs in the last day failed"
    yield Finding(
        insight,
        f"{evidence}; last failure {last}",
        "Read the errors of the failed jobs and retry them",
        "warning",
    )


def _metrics(snapshot: Snapshot) -> Iterator[Finding]:
    if not snapshot.samples:
        advice = "Send metrics (POST /api/v1/metrics) so that load can be judged"
        yield Finding("There are no recent metrics, so load was not judged", "samples in 15 min: 0", advice)
    for sample in snapshot.samples:
        yield _judge(sample)


def _judge(sample: Sample) -> Finding:
    evidence = f"{sample.type}={sample.value:g}{sample.unit} at {rfc3339(sample.timestamp)}"
    limit, gravity = LIMITS.get(sample.type, (float("inf"), "healthy"))
    insight = f"{sample.type} is at {sample.value:g}{sample.unit}"
    if sample.value <= limit:
        return Finding(insight, evidence)
    return Finding(f"{insight}, above {limit:g}%", evidence, _ADVICE[sample.type], gravity)


def _counted(droplets: Any) -> str:
    if not droplets:
        return "0 droplets"
    states = Counter(droplet.status for droplet in droplets)
    listed = ", ".join(f"{count} {status}" for status, count in sorted(states.items()))
    return f"{len(droplets)} droplet{'s' if len(droplets) > 1 else ''} ({listed})"


_RULES: tuple[Callable[[Snapshot], Iterator[Finding]], ...] = (
    _status, _droplets, _failed_droplets, _regions, _jobs, _metrics,
)  # fmt: skip
