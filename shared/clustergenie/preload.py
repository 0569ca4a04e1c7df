"""Imports worth having before a worker is forked: the template process imports this module once for all of them.

Importing starts no thread, opens no connection and makes no client; ``test_preload.py`` holds us to that.
"""

from importlib import import_module

#: Modules a request needs that are imported late, or by name, and the packages a handler imports.
MODULES = (
    "flask",
    "orjson",
    "pydantic",
    "pymysql",
    "redis.backoff",
    "redis.retry",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "waitress.server",
    "clustergenie.activity",
    "clustergenie.clusters",
    "clustergenie.db",
    "clustergenie.diagnosis",
    "clustergenie.events.inbox",
    "clustergenie.events.outbox",
    "clustergenie.fields",
    "clustergenie.http",
    "clustergenie.jobs",
    "clustergenie.logs.output",
    "clustergenie.logs.places",
    "clustergenie.logs.requests",
)

for _module in MODULES:
    import_module(_module)
