"""Delete a cluster; with ?force=true also the droplets and jobs it holds."""

from clustergenie import clusters
from clustergenie.clusters import DeleteCluster
from clustergenie.http import Reply, Request, Role, endpoint


@endpoint("DELETE", "/api/v1/clusters/{id}", role=Role.OPERATOR, query=DeleteCluster)
def handle(request: Request[None, DeleteCluster]) -> Reply:
    cluster_id = request.parameters["id"]
    clusters.delete(
        request.db,
        cluster_id,
        request.origin,
        force=request.query.force,
        check_version=request.check_version,
        clock=request.clock,
    )
    return Reply(200, {"message": f"Cluster {cluster_id} is deleted"})
