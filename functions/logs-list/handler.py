"""Log lines of all functions, oldest first."""

from clustergenie.http import Reply, Request, Role, endpoint
from clustergenie.logs.requests import ListLogs


@endpoint("GET", "/api/v1/logs", role=Role.VIEWER, query=ListLogs)
def handle(request: Request[None, ListLogs]) -> Reply:
    page = request.log.query(request.query.filter(request.query.job_id))
    return Reply(200, {"items": [line.to_json() for line in page.lines], "next_cursor": page.next_cursor})
