"""Diagnosis: what is wrong with a cluster, judged by rules over what is known of it. Nothing is invented."""

from clustergenie.diagnosis._rules import Diagnosis, diagnose
from clustergenie.diagnosis._snapshot import DropletState, JobState, Sample, Snapshot, take

__all__ = ["Diagnosis", "DropletState", "JobState", "Sample", "Snapshot", "diagnose", "take"]
