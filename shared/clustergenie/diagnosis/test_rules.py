from dataclasses import replace

import pytest

from clustergenie.clock import ManualClock
from clustergenie.clusters import Cluster
from clustergenie.diagnosis import DropletState, JobState, Sample, Snapshot, diagnose

NOW = ManualClock()()
CLUSTER = Cluster("cluster-1", "prod", "nyc1", "healthy", 1, NOW, NOW, NOW)


def snapshot(status="healthy", droplets=(), jobs=(), samples=()):
    return Snapshot(replace(CLUSTER, status=status), droplets, jobs, samples, NOW)


def some(count, status="active", region="nyc1"):
    return [DropletState(f"droplet-{number}", status, region) for number in range(count)]


def sample(kind, value):
    return Sample(kind, value, "%", NOW)


WELL = {"droplets": some(5), "samples": [sample("cpu", 20.0)]}


def test_a_cluster_that_is_well_needs_nothing():
    found = diagnose(snapshot(**WELL))
    assert found.assessment == "healthy"
    assert found.recommendations == ["Everything looks well; no action is needed"]


@pytest.mark.parametrize("status", ["healthy", "warning", "critical"])
def test_the_summary_names_the_state_that_is_stored(status):
    found = diagnose(snapshot(status, **WELL))
    assert f"prod (cluster-1) in nyc1 is {status} with 5 droplets (5 active)" in found.summary
    assert found.to_json()["status"] == status
    assert found.assessment == status


@pytest.mark.parametrize(
    ("given", "assessment", "advice"),
    [
        ({"droplets": []}, "warning", "first droplet"),
        ({"droplets": some(1)}, "warning", "redundancy"),
        ({"droplets": some(3)}, "healthy", "scaling up"),
        ({"droplets": [*some(4), DropletState("droplet-9", "failed", "nyc1")]}, "warning", "Replace"),
        ({"droplets": some(5, "failed")}, "critical", "Replace"),
        ({"jobs": [JobState("job-1", "scale", "failed", "no room")]}, "warning", "retry"),
        ({"samples": [sample("cpu", 80.1)]}, "warning", "processors"),
        ({"samples": [sample("memory", 85.1)]}, "critical", "memory"),
        ({"samples": [sample("disk", 90.1)]}, "critical", "disk"),
        ({"samples": [sample("memory", 99.0), sample("cpu", 99.0)]}, "critical", "memory"),
        ({"samples": []}, "healthy", "metrics"),
    ],
)
def test_each_rule_says_how_grave_it_is_and_what_helps(given, assessment, advice):
    found = diagnose(snapshot(**WELL | given))
    assert found.assessment == assessment
    assert any(advice in line for line in found.recommendations)


@pytest.mark.parametrize(
    "given",
    [
        {"samples": [sample("cpu", 80.0)]},
        {"samples": [sample("queue", 9999.0)]},
        {"jobs": [JobState("job-1", "scale", "completed", None)]},
    ],
)
def test_what_is_within_its_limits_is_told_without_alarm(given):
    assert diagnose(snapshot(**WELL | given)).assessment == "healthy"


def test_evidence_names_what_was_seen():
    jobs = [JobState("job-1", "scale", "failed", "no room"), JobState("job-2", "scale", "completed", None)]
    found = diagnose(
        snapshot(droplets=some(2, region="lon1"), jobs=jobs, samples=[sample("cpu", 91.25)])
    ).to_json()
    evidence = "\n".join(found["evidence"])
    for fact in (
        "droplet-1 active",
        "1 completed, 1 failed",
        "job-1: no room",
        "cpu=91.25%",
        "lon1",
        "status=healthy",
    ):
        assert fact in evidence
    assert found["droplet_count"] == 2
    assert len(found["insights"]) == len(found["evidence"])


def test_the_same_snapshot_gives_the_same_diagnosis():
    assert diagnose(snapshot(**WELL)).to_json() == diagnose(snapshot(**WELL)).to_json()
