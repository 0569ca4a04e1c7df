"""Runs a function's handler as the python3-http template does: through its decorator, on a database of its own."""

import importlib.util
import json
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers, MultiDict

from clustergenie import db
from clustergenie.identity import FUNCTION_AUDIENCE, IDENTITY_HEADER, Identity, Role, TokenSigner

FUNCTIONS = Path(__file__).parent
KEY = "k" * 64
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Event:
    """As the template makes it."""

    method: str = "POST"
    path: str = "/"
    body: bytes = b""
    headers: Headers = field(default_factory=Headers)
    query: MultiDict = field(default_factory=MultiDict)


@dataclass
class Answer:
    status: int
    headers: dict
    body: dict


def load(name):
    """The ``handle`` of ``functions/name/handler.py``."""
    module_name = f"functions_{name.replace('-', '_')}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, FUNCTIONS / name / "handler.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[module_name] = module
    return sys.modules[module_name].handle


class Functions:
    """Calls functions. ``role`` None calls without an identity."""

    def __init__(self, database_url):
        self.engine = db.connect(database_url)
        self._signer = TokenSigner(KEY, FUNCTION_AUDIENCE)

    def __call__(self, name, method="GET", path="/", body=None, *, role=Role.ADMIN, headers=(), **query):
        sent = Headers({"X-Call-Id": "call-1", "traceparent": TRACEPARENT})
        if body is not None:
            sent["Content-Type"] = "application/json"
        if role is not None:
            sent[IDENTITY_HEADER] = self._signer.issue(Identity("tester", role), timedelta(minutes=1))
        sent.update(headers)
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = load(name)(Event(method, path, raw, sent, MultiDict(query)), None)
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def deliver(self, name, event, **more):
        """Call ``name`` as the connector does."""
        headers = {key.replace("ce_", "Ce-", 1): value for key, value in event.headers().items()}
        return self(name, "POST", body=event.body(), role=Role.SYSTEM, headers=headers, **more)

    def create_cluster(self, name="prod", region="nyc1"):
        return self("clusters-create", "POST", body={"name": name, "region": region}).body["cluster"]

    def create_job(self, cluster_id):
        return self("jobs-create", "POST", body={"type": "diagnose", "cluster_id": cluster_id}).body["job"]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("db") / "migrated.db"
    db.migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def functions(migrated_file, tmp_path, monkeypatch):
    """A worker's environment and its functions."""
    database = tmp_path / "functions.db"
    database.write_bytes(migrated_file.read_bytes())
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "database-url").write_text(f"sqlite:///{database}\n")
    (secrets / "identity-key").write_text(f"{KEY}\n")
    monkeypatch.setenv("secret_mount_path", str(secrets))
    monkeypatch.setenv("LOG_STORE", str(tmp_path / "logs.db"))
    monkeypatch.delenv("LOKI_URL", raising=False)
    functions = Functions(f"sqlite:///{database}")
    yield functions
    functions.engine.dispose()


@pytest.fixture
def outbox_events(functions):
    """The events that wait for the relay, oldest first."""
    from clustergenie.events import Event as CloudEvent  # noqa: PLC0415  (its name is taken above)
    from clustergenie.events import outbox  # noqa: PLC0415

    def read():
        with db.reading(functions.engine) as connection:
            rows = outbox.oldest(connection, 100)
        return [CloudEvent.from_headers(row.headers, row.body) for row in rows]

    return read
