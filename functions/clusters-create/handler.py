"""Create a cluster."""

from clustergenie import clusters
from clustergenie.clusters import CreateCluster
from clustergenie.http import Reply, Request, Role, endpoint


@endpoint("POST", "/api/v1/clusters", role=Role.OPERATOR, body=CreateCluster)
def handle(request: Request[CreateCluster]) -> Reply:
    cluster = clusters.create(request.db, request.body, request.origin, clock=request.clock)
    body = {"cluster": cluster.to_json(), "message": f"Cluster {cluster.name} is created"}
    return Reply(201, body, location=f"/api/v1/clusters/{cluster.id}", version=cluster.version)
