"""List clusters, page by page."""

from clustergenie import clusters
from clustergenie.clusters import ListClusters
from clustergenie.http import Reply, Request, Role, endpoint


@endpoint("GET", "/api/v1/clusters", role=Role.VIEWER, query=ListClusters)
def handle(request: Request[None, ListClusters]) -> Reply:
    found, page = clusters.find(request.db, request.query)
    return Reply(200, {"clusters": [cluster.to_json() for cluster in found], **request.query.envelope(page)})
