"""The command line against a scripted gateway."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from clustergenie import credentials
from clustergenie.identity import API_AUDIENCE, Role, TokenSigner
from genie.cli import _COMMANDS, cli
from genie.duration import Duration

HELLO = {
    "name": "hello",
    "image": "hello:latest",
    "namespace": "openfaas-fn",
    "replicas": 1,
    "availableReplicas": 1,
    "invocationCount": 3.0,
    "annotations": {"http.path": "/api/v1/hello", "http.method": "POST", "topic": "jobs"},
}


class Gateway:
    """Answers from ``script``: "METHOD path" → (status, body) or (status, body, headers)."""

    def __init__(self):
        self.script: dict[str, tuple] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                line = f"{self.command} {self.path}"
                gateway.requests.append((line, dict(self.headers), body))
                status, text, *more = gateway.script.get(line, (404, "no such thing"))
                data = text.encode() if isinstance(text, str) else json.dumps(text).encode()
                self.send_response(status)
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - http.server's names

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def lines(self) -> list[str]:
        return [line for line, _, _ in self.requests]


@pytest.fixture
def gateway():
    made = Gateway()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


@pytest.fixture
def genie(home, gateway, monkeypatch):
    credentials.ensure(home)
    monkeypatch.setenv("GENIE_HOME", str(home.root))
    monkeypatch.setenv("GENIE_PORT", str(gateway.server.server_port))

    def run(*arguments: str, stdin: str | None = None):
        return CliRunner().invoke(cli, arguments, input=stdin)

    return run


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stack.yml").write_text(
        "provider: {name: openfaas}\nfunctions:\n  a: {image: a}\n  b: {image: b}\n"
    )
    return tmp_path


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_summary_in_the_list_is_the_first_sentence_of_the_commands_help(name):
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert (command.help or "").split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".") == _COMMANDS[
        name
    ].summary.rstrip(".")


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_explains_itself(genie, name):
    assert genie(name, "--help").exit_code == 0


def test_help_imports_no_command_and_is_fast():
    code = "import sys; from genie.cli import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    began = time.monotonic()
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert not {"jwt", "yaml", "sqlalchemy", "asyncio", "http.client", "genie.commands"} & set(said.split())
    assert time.monotonic() - began < 1.0  # 0.1 s on an idle machine; the rest is room for a busy one


def test_wrong_usage_exits_with_2(genie):
    assert genie("dance").exit_code == 2
    assert genie("invoke").exit_code == 2
    assert genie("token", "--ttl", "soon").exit_code == 2


def test_a_bad_setting_is_one_sentence_and_exits_with_1(genie, monkeypatch):
    monkeypatch.setenv("GENIE_PORT", "eighty")

    result = genie("list")

    assert result.exit_code == 1
    assert "GENIE_PORT='eighty' is not a TCP port" in result.stderr


def test_a_home_that_was_never_up_says_so(genie, monkeypatch, tmp_path):
    monkeypatch.setenv("GENIE_HOME", str(tmp_path / "none"))

    for arguments in (["list"], ["invoke", "x"], ["logs"], ["token"]):
        result = genie(*arguments)
        assert (result.exit_code, "genie up" in result.stderr) == (1, True), arguments


def test_a_gateway_that_is_down_says_how_to_start_it(genie, monkeypatch):
    monkeypatch.setenv("GENIE_PORT", "1")

    result = genie("list")

    assert result.exit_code == 1
    assert "does not answer" in result.stderr
    assert "genie up" in result.stderr


def test_list_shows_readiness_calls_route_and_topic(genie, gateway):
    gateway.script["GET /system/functions"] = (200, [HELLO])

    assert genie("list").stdout.splitlines()[1].split() == [
        "hello", "1/1", "3", "POST", "/api/v1/hello", "jobs",
    ]  # fmt: skip
    assert json.loads(genie("list", "--json").stdout) == [HELLO]


def test_system_calls_carry_the_login(genie, gateway):
    gateway.script["GET /system/functions"] = (200, [])
    genie("list")

    assert gateway.requests[0][1]["Authorization"].startswith("Basic ")


def test_describe_and_remove_name_an_unknown_function(genie):
    for arguments in (["describe", "nobody"], ["remove", "nobody"]):
        result = genie(*arguments)
        assert result.exit_code == 1
        assert "there is no function nobody" in result.stderr


def test_describe_shows_the_whole_status(genie, gateway):
    gateway.script["GET /system/function/hello?usage=1"] = (200, HELLO)

    assert "http.path: /api/v1/hello" in genie("describe", "hello").stdout


def test_invoke_sends_a_token_that_the_gateway_will_take(genie, gateway, home):
    gateway.script["GET /function/hello"] = (200, "hi")
    assert genie("invoke", "hello").stdout == "hi"

    token = gateway.requests[0][1]["Authorization"].removeprefix("Bearer ")
    identity, _ = TokenSigner(credentials.read(home, credentials.TOKEN_KEY), API_AUDIENCE).verify(token)
    assert identity.role is Role.ADMIN


def test_invoke_builds_path_query_headers_and_body(genie, gateway):
    line = "POST /function/jobs-get/job%20-1?include=events,logs&q=a%26b"
    gateway.script[line] = (200, "{}")

    result = genie(
        "invoke", "jobs-get", "--path", "/job -1", "--query", "include=events,logs", "--query", "q=a&b",
        "--data", '{"a": 1}', "-H", "X-Mine: yes",
    )  # fmt: skip

    assert result.exit_code == 0, result.stderr
    assert gateway.lines == [line]
    _, headers, body = gateway.requests[0]
    assert (headers["X-Mine"], headers["Content-Type"], body) == ("yes", "application/json", b'{"a": 1}')


def test_invoke_reads_a_file_and_a_pipe(genie, gateway, tmp_path, home):
    gateway.script["POST /function/hello"] = (200, "ok")
    (tmp_path / "body").write_bytes(b"from a file")
    genie("invoke", "hello", "--file", str(tmp_path / "body"))
    command = [sys.executable, "-m", "genie", "invoke", "hello"]
    subprocess.run(command, input=b"from a pipe", check=True, capture_output=True)

    assert [body for _, _, body in gateway.requests] == [b"from a file", b"from a pipe"]


def test_invoke_takes_the_method_that_the_function_asks_for(genie, gateway):
    gateway.script["GET /function/hello"] = (405, {"error": "use POST"}, {"Allow": "POST"})
    gateway.script["POST /function/hello"] = (200, "hi")

    assert genie("invoke", "hello").stdout == "hi"
    assert genie("invoke", "hello", "--method", "get").exit_code == 1


def test_invoke_puts_an_error_on_standard_error_and_exits_with_1(genie, gateway):
    gateway.script["GET /function/hello"] = (404, {"error": "there is no cluster x", "status": 404})

    result = genie("invoke", "hello")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "404: there is no cluster x" in result.stderr


def test_deploy_updates_and_creates_what_is_not_there_yet(genie, gateway, project):
    gateway.script["POST /system/functions"] = (202, "")

    assert genie("deploy", "--no-build", "b").exit_code == 0
    assert gateway.lines == ["PUT /system/functions", "POST /system/functions"]
    assert json.loads(gateway.requests[0][2])["service"] == "b"


def test_one_refused_function_does_not_stop_the_others(genie, gateway, project):
    gateway.script["PUT /system/functions"] = (400, "the secret key is missing")

    result = genie("deploy", "--no-build")

    assert len(gateway.requests) == 2
    assert result.exit_code == 1
    assert "2 could not be deployed" in result.stderr
    assert "a: the gateway refused (400): the secret key is missing" in result.stderr


def test_function_logs_are_asked_of_the_gateway(genie, gateway):
    line = {"name": "hello", "instance": "hello-1", "timestamp": "2026-01-01T00:00:00Z", "text": "hi"}
    path = "GET /system/logs?name=hello&namespace=openfaas-fn&follow=false&tail=5"
    gateway.script[path] = (200, json.dumps(line) + "\n")

    assert genie("logs", "hello", "--lines", "5").stdout == "2026-01-01T00:00:00Z hello-1 hi\n"


def test_component_logs_are_read_from_their_file(genie, home):
    (home.logs / "redis.log").write_text("one\ntwo\n")
    command = [sys.executable, "-m", "genie", "logs", "redis", "--lines", "1"]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "two\n"
    assert genie("logs").stdout == "redis\n"
    assert genie("logs", "redis", "--since", "5m").exit_code == 2


def test_token_has_the_role_the_user_and_the_end_that_were_asked_for(genie, home):
    token = genie("token", "--role", "viewer", "--user", "ann", "--ttl", "30m").stdout.strip()
    identity, ends = TokenSigner(credentials.read(home, credentials.TOKEN_KEY), API_AUDIENCE).verify(token)

    assert (identity.subject, identity.role) == ("ann", Role.VIEWER)
    assert abs(ends - time.time() - 1800) < 60


def test_env_can_be_read_by_a_shell(genie, home, gateway):
    printed = genie("env").stdout
    said = subprocess.run(
        ["sh", "-c", f"{printed}\necho $OPENFAAS_URL $GENIE_HOME"], capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == [f"http://127.0.0.1:{gateway.server.server_port}", str(home.root)]


def test_status_of_a_stopped_instance_exits_with_1(genie):
    assert genie("status").exit_code == 1
    assert json.loads(genie("status", "--json").stdout)["state"] == "stopped"


def test_doctor_speaks_json(genie):
    findings = json.loads(genie("doctor", "--json").stdout)

    assert {"python", "disk", "port", "secrets", "sockets"} <= {finding["check"] for finding in findings}


def test_new_writes_a_function_and_says_what_comes_next(genie, project):
    template = Path("template/py/function")
    template.mkdir(parents=True)
    template.with_name("template.yml").write_text("language: py\nfprocess: x\n")

    result = genie("new", "mine", "--lang", "py")

    assert result.exit_code == 0, result.stderr
    assert "genie deploy mine" in result.stdout


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("8h", timedelta(hours=8)),
        ("7d", timedelta(7)),
    ],
)
def test_durations(text, meant):
    assert Duration().convert(text, None, None) == meant


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "0s", "1.5h", "5 m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)
