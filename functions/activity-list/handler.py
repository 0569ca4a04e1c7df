"""Everything that happened, newest first unless asked otherwise."""

from clustergenie import activity
from clustergenie.activity import ListActivity
from clustergenie.http import Reply, Request, Role, endpoint


@endpoint("GET", "/api/v1/activity", role=Role.VIEWER, query=ListActivity)
def handle(request: Request[None, ListActivity]) -> Reply:
    entries, page = activity.find(request.db, request.query)
    return Reply(200, {"items": [entry.to_json() for entry in entries], **request.query.envelope(page)})
