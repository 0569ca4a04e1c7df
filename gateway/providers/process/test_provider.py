"""The provider with real processes: replicas come, go, and are replaced without losing a request."""

import asyncio
import json
import threading
import zipfile

import pytest

from gateway.contract import FunctionKey
from gateway.images import VenvStore
from gateway.providers.base import DeployError

HELLO = "def handle(event, context):\n    return 'hello'\n"
KEY = FunctionKey("f")


async def test_a_deployed_function_answers_on_its_endpoint(rig):
    await rig.start()
    address = await rig.serve(HELLO)
    status, body, _ = await rig.call(address)
    assert (status, body) == (200, b"hello")


async def test_a_function_scales_to_zero_and_back(rig, eventually):
    await rig.start()
    await rig.serve(HELLO)
    await rig.provider.scale(KEY, 0)
    await eventually(lambda: rig.listener.events[-1][0] == "gone")
    assert not rig.replicas()
    await rig.provider.scale(KEY, 3)
    await rig.ready(3)
    await rig.provider.scale(KEY, 1)
    await eventually(lambda: len(rig.replicas()) == 1)
    assert rig.provider.status(KEY).available == 1


async def test_an_unknown_image_and_a_missing_secret_are_refused_with_the_remedy(rig):
    await rig.start()
    with pytest.raises(DeployError, match="genie build"):
        await rig.deploy("nothing")
    rig.build("f", HELLO)
    with pytest.raises(DeployError, match=r"secret api-key .* faas-cli secret create api-key"):
        await rig.deploy("f", secrets=("api-key",))
    with pytest.raises(KeyError):
        rig.provider.status(KEY)


async def test_a_worker_sees_its_own_environment_and_secrets_only(rig, monkeypatch):
    monkeypatch.setenv("GATEWAY_ONLY", "hidden")
    await rig.start()
    rig.secrets.create("mine", b"42")
    rig.secrets.create("other", b"43")
    source = """
import os, json
def handle(event, context):
    mount = os.environ["secret_mount_path"]
    files = {name: open(os.path.join(mount, name)).read() for name in os.listdir(mount)}
    modes = [oct(os.stat(os.path.join(mount, name)).st_mode & 0o777) for name in os.listdir(mount)]
    return json.dumps({"env": dict(os.environ), "files": files, "modes": modes, "host": context.hostname, "cwd": os.getcwd()})
"""
    address = await rig.serve(source, env_vars={"COLOUR": "blue"}, secrets=("mine",))
    found = json.loads((await rig.call(address))[1])
    assert found["files"] == {"mine": "42"}
    assert found["modes"] == ["0o400"]
    assert found["env"]["COLOUR"] == "blue"
    assert "GATEWAY_ONLY" not in found["env"]
    assert found["host"] == rig.replicas()[0].name
    assert found["cwd"] == found["env"]["HOME"]


async def test_the_same_deployment_again_changes_nothing(rig):
    await rig.start()
    await rig.serve(HELLO)
    before = rig.replicas()
    await rig.deploy("f")
    assert rig.replicas() == before


async def test_a_changed_secret_is_a_new_revision(rig, eventually):
    await rig.start()
    rig.secrets.create("mine", b"old")
    source = "def handle(event, context):\n    import os\n    return open(os.environ['secret_mount_path'] + '/mine').read()\n"
    await rig.serve(source, secrets=("mine",))
    old = rig.replicas()[0]
    rig.secrets.update("mine", b"new")
    await rig.deploy("f", secrets=("mine",))
    await eventually(lambda: old not in rig.replicas())
    (endpoint,) = await rig.ready()
    assert (await rig.call(endpoint.address))[1] == b"new"
    assert not old.plan.folder.exists()


async def test_an_update_under_a_stream_of_requests_loses_none(rig, eventually):
    await rig.start()
    versions = "import time\ndef handle(event, context):\n    time.sleep(0.005)\n    return '{}'\n"
    await rig.deploy("f", versions.format("v0"), replicas=2)
    await rig.ready(2)
    answers, problems, stop = [], [], threading.Event()

    async def ask():
        while not stop.is_set():
            with rig.listener.borrowed() as endpoint:
                try:
                    answers.append(await rig.call(endpoint.address))
                except OSError as error:
                    problems.append(error)

    askers = [asyncio.create_task(ask()) for _ in range(4)]
    for number in range(1, 4):
        await rig.deploy("f", versions.format(f"v{number}"), replicas=2)
        wanted = f"v{number}".encode()
        await eventually(lambda wanted=wanted: answers and answers[-1][1] == wanted)
        await eventually(lambda: len(rig.replicas()) == 2 and len(rig.listener.endpoints) == 2)
    stop.set()
    await asyncio.gather(*askers)
    assert not problems
    assert {status for status, _, _ in answers} == {200}
    assert len(answers) > 20


async def test_a_new_version_that_cannot_start_leaves_the_old_one_serving(rig, eventually):
    await rig.start()
    address = await rig.serve(HELLO)
    await rig.deploy("f", "import not_installed_anywhere\n")
    await eventually(lambda: rig.listener.errors)
    assert "not_installed_anywhere" in rig.provider.status(KEY).last_error
    assert (await rig.call(address))[1] == b"hello"
    await rig.deploy("f", HELLO)
    await eventually(lambda: rig.provider.status(KEY).last_error == "")


async def test_a_draining_replica_answers_what_it_has_begun(rig, eventually):
    await rig.start()
    gate = rig.home.root / "gate"
    source = f"""
import os, time
def handle(event, context):
    while not os.path.exists({str(gate)!r}):
        time.sleep(0.002)
    return "finished"
"""
    await rig.serve(source)
    with rig.listener.borrowed() as endpoint:
        answer = asyncio.create_task(rig.call(endpoint.address))
        await rig.provider.scale(KEY, 0)
        await eventually(lambda: ("drain", endpoint.replica) in rig.listener.events)
        gate.touch()
        assert (await answer)[1] == b"finished"
    await eventually(lambda: not rig.replicas())


async def test_remove_ends_all_and_forgets_the_name(rig):
    await rig.start()
    await rig.deploy("f", HELLO, replicas=2)
    await rig.ready(2)
    folder = rig.replicas()[0].plan.folder
    await rig.provider.remove(KEY)
    assert not rig.listener.endpoints
    assert not folder.exists()
    assert not list(rig.home.sockets.glob("w-*"))
    with pytest.raises(KeyError):
        rig.provider.status(KEY)


async def test_usage_tells_memory_and_cpu_of_running_replicas(rig):
    await rig.start()
    address = await rig.serve("def handle(event, context):\n    return str(sum(range(3_000_000)))\n")
    first = await rig.provider.usage(KEY)
    await rig.call(address)
    second = await rig.provider.usage(KEY)
    assert 1e6 < first.memory_bytes < 100e6
    assert second.cpu_millicores > 0


async def test_python3_flask_handlers_run_too(rig):
    await rig.start()
    address = await rig.serve("def handle(req):\n    return req.upper()\n", template="python3-flask")
    assert (await rig.call(address, "POST", "/", b"abc"))[1] == b"ABC"
    assert (await rig.call(address, "PUT", "/", b"abc"))[0] == 405


@pytest.mark.slow
async def test_a_function_with_its_own_requirements_has_its_own_venv_and_template(rig):
    wheel = rig.home.root / "genie_own-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("genie_own.py", "VALUE = 'own'\n")
        archive.writestr(
            "genie_own-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: genie-own\nVersion: 1.0\n"
        )
        archive.writestr(
            "genie_own-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("genie_own-1.0.dist-info/RECORD", "")
    await rig.start()
    source = "import genie_own\ndef handle(event, context):\n    return genie_own.VALUE\n"
    bundle = rig.build("f", source, requirements__txt=f"{wheel}\n")
    with pytest.raises(DeployError, match="genie build"):
        await rig.deploy("f")
    VenvStore(rig.home.venvs).prepare(bundle.requirements)
    await rig.deploy("f")
    (endpoint,) = await rig.ready()
    assert (await rig.call(endpoint.address))[1] == b"own"
    assert len(rig.provider._templates) == 2
