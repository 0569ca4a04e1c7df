"""What stands between an HTTP request and a handler of ten lines: roles, schemas, problem documents, log context.

A handler is a function of one typed request, decorated with what it answers to::

    @endpoint("POST", "/api/v1/clusters", role=Role.OPERATOR, body=CreateCluster)
    def handle(request: Request[CreateCluster]) -> Reply: ...

    @subscriber("cluster-events", role=Role.ADMIN)
    def handle(delivery: Delivery) -> Reply: ...

and becomes ``handle(event, context)``, as the python3-http template calls it.
"""

from clustergenie.http._endpoint import endpoint
from clustergenie.http._messages import Delivery, RecordBatch, Reply, Request
from clustergenie.http._spec import Spec
from clustergenie.http._subscriber import batch_subscriber, subscriber
from clustergenie.identity import Role

__all__ = [
    "Delivery", "RecordBatch", "Reply", "Request", "Role", "Spec", "batch_subscriber", "endpoint",
    "subscriber",
]  # fmt: skip
