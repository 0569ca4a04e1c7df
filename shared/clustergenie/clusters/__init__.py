"""Clusters: the things that own droplets, jobs and metrics."""

from clustergenie.clusters._record import Cluster
from clustergenie.clusters._requests import CreateCluster, DeleteCluster, ListClusters, UpdateCluster
from clustergenie.clusters._store import create, delete, find, get, load, update

__all__ = [
    "Cluster", "CreateCluster", "DeleteCluster", "ListClusters", "UpdateCluster", "create", "delete", "find",
    "get", "load", "update",
]  # fmt: skip
