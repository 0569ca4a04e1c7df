"""Events: CloudEvents 1.0, written to an outbox with the change they tell of, read at least once by functions."""

from clustergenie.events._event import Event, EventError
from clustergenie.events._wake import Wake

#: Topic of everything that happens to clusters, droplets and jobs.
CLUSTER_EVENTS = "cluster-events"
#: Redis channel on which the relay is told that there are outbox rows.
OUTBOX_CHANNEL = "clustergenie:outbox"

__all__ = ["CLUSTER_EVENTS", "OUTBOX_CHANNEL", "Event", "EventError", "Wake"]
