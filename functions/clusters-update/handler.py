"""Change a cluster's name, region or status; what is absent is kept."""

from clustergenie import clusters
from clustergenie.clusters import UpdateCluster
from clustergenie.http import Reply, Request, Role, endpoint


@endpoint("PUT,PATCH", "/api/v1/clusters/{id}", role=Role.OPERATOR, body=UpdateCluster)
def handle(request: Request[UpdateCluster]) -> Reply:
    cluster = clusters.update(
        request.db,
        request.parameters["id"],
        request.body,
        request.origin,
        check_version=request.check_version,
        clock=request.clock,
    )
    body = {"cluster": cluster.to_json(), "message": f"Cluster {cluster.name} is updated"}
    return Reply(200, body, version=cluster.version)
