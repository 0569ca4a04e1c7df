"""Keeps the activity log: every event once, however often it is delivered."""

import logging

from clustergenie import activity
from clustergenie.http import Delivery, Reply, subscriber

log = logging.getLogger("event-handler")


@subscriber("cluster-events")
def handle(delivery: Delivery) -> Reply:
    event = delivery.event
    is_new = activity.record(delivery.db, event, delivery.origin.trace_id)
    log.info("%s of %s %s", event.type, event.subject, "recorded" if is_new else "was recorded before")
    return Reply(200, {"event_id": event.id, "recorded": is_new})
