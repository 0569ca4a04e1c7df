"""A greeting, and the proof that functions answer."""

from clustergenie.fields import Name, RequestBody
from clustergenie.http import Reply, Request, Role, endpoint


class Greeting(RequestBody):
    name: Name


@endpoint("POST", "/api/v1/hello", role=Role.PUBLIC, body=Greeting)
def handle(request: Request[Greeting]) -> Reply:
    return Reply(200, {"message": f"Hello, {request.body.name}! ClusterGenie is at your service."})
