"""The activity log: every event that happened, once, for people to read."""

from clustergenie.activity._requests import JobEvents, ListActivity
from clustergenie.activity._store import Entry, find, of_job, record

__all__ = ["Entry", "JobEvents", "ListActivity", "find", "of_job", "record"]
