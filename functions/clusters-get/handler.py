"""Show one cluster."""

from clustergenie import clusters
from clustergenie.http import Reply, Request, Role, endpoint


@endpoint("GET", "/api/v1/clusters/{id}", role=Role.VIEWER)
def handle(request: Request) -> Reply:
    cluster = clusters.get(request.db, request.parameters["id"])
    body = {"cluster": cluster.to_json(), "message": f"Cluster {cluster.name} is {cluster.status}"}
    return Reply(200, body, version=cluster.version)
