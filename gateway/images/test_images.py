"""Building, naming and forgetting images."""

import py_compile
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.images import BuildError, ImageStore, UnknownImageError, build, normalise
from gateway.images.build import digest_of

TEMPLATE = Path(__file__).parents[2] / "template" / "python3-http"
HELLO = "def handle(event, context):\n    return 'hello'\n"


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "images")


@pytest.fixture
def handler(tmp_path):
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "handler.py").write_text(HELLO)
    return folder


def make(store, handler, image="hello", **options):
    return build(store, image=image, template=TEMPLATE, handler=handler, **options)


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("hello", "hello:latest"),
        ("hello:1", "hello:1"),
        ("registry:5000/hello", "registry:5000/hello:latest"),
        ("registry:5000/a/hello:2", "registry:5000/a/hello:2"),
        ("hello@sha256:00", "hello@sha256:00"),
    ],
)
def test_an_image_without_tag_means_latest(image, full):
    assert normalise(image) == full


def test_a_bundle_is_the_template_with_the_handler_over_its_function_folder(store, handler):
    (handler / ".hidden").touch()
    (handler / "__pycache__").mkdir()
    (handler / "__pycache__" / "x.pyc").touch()
    (handler / "build").mkdir()
    (handler / "build" / "left_out.py").touch()
    bundle = make(store, handler)
    files = {p.relative_to(bundle.path).as_posix() for p in bundle.path.rglob("*") if p.is_file()}
    sources = {file for file in files if not file.endswith(".pyc")}
    assert {
        "index.py",
        "template.yml",
        "Dockerfile",
        "function/__init__.py",
        "function/handler.py",
    } <= sources
    assert (bundle.path / "function" / "handler.py").read_text() == HELLO
    assert not {file for file in sources if "hidden" in file or "left_out" in file}
    assert bundle.language == "python3-http"
    assert store.resolve("hello:latest") == bundle


def test_bytecode_is_ready_and_not_checked_against_the_source(store, handler):
    bundle = make(store, handler)
    (compiled,) = (bundle.path / "function" / "__pycache__").glob("handler.*.pyc")
    flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
    assert flags == 0b01
    assert py_compile.PycInvalidationMode.UNCHECKED_HASH


def test_building_again_writes_nothing_and_is_quick(store, handler):
    first = make(store, handler)
    stamp = first.path.stat().st_mtime_ns
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        assert make(store, handler) == first
        times.append(time.perf_counter() - begin)
    assert first.path.stat().st_mtime_ns == stamp
    # The budget is 10 ms; tripled for slow machines.
    assert min(times) < 0.03


def test_a_change_gives_a_new_bundle_and_leaves_the_old_one(store, handler):
    old = make(store, handler)
    (handler / "handler.py").write_text(HELLO + "# changed\n")
    new = make(store, handler)
    assert new.digest != old.digest
    assert old.path.is_dir()
    assert store.resolve("hello") == new


def test_the_executable_bit_is_part_of_the_content(store, handler):
    script = handler / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o644)
    plain = make(store, handler)
    script.chmod(0o755)
    assert make(store, handler).digest != plain.digest


def test_an_unknown_image_says_what_to_run(store):
    with pytest.raises(UnknownImageError, match=r"hello:latest .* genie build"):
        store.resolve("hello")


@pytest.mark.parametrize("source", ["def handle(:\n", "\x00"])
def test_a_handler_that_does_not_compile_is_refused_and_the_image_stays(store, handler, source):
    before = make(store, handler)
    (handler / "handler.py").write_text(source)
    with pytest.raises(BuildError, match=r"handler.py does not compile"):
        make(store, handler)
    assert store.resolve("hello") == before


def test_missing_folders_are_named(store, handler, tmp_path):
    with pytest.raises(BuildError, match=r"nowhere does not exist; check handler"):
        make(store, tmp_path / "nowhere")
    with pytest.raises(BuildError, match=r"is not a template"):
        build(store, image="x", template=tmp_path, handler=handler)
    with pytest.raises(BuildError, match=r"configuration.copy"):
        make(store, handler, extra={"data": tmp_path / "absent"})


def test_extra_paths_lie_below_the_handler(store, handler, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "lib.py").write_text("x = 1\n")
    bundle = make(store, handler, extra={"shared": shared})
    assert (bundle.path / "function" / "shared" / "lib.py").exists()


def test_only_requirements_beyond_the_template_count(store, handler):
    (handler / "requirements.txt").write_text("flask\n# a comment\n\nrich==13.0  # pretty\nflask==3.1.0\n")
    assert make(store, handler).requirements == ("rich==13.0", "flask==3.1.0")


def test_garbage_is_what_no_name_points_to_and_nobody_runs(store, handler):
    old = make(store, handler)
    (handler / "handler.py").write_text(HELLO + "# changed\n")
    new = make(store, handler)
    assert store.collect_garbage(in_use=[old.digest]) == []
    assert store.collect_garbage() == [old.digest]
    assert new.path.is_dir()
    store.forget("hello")
    assert store.collect_garbage() == [new.digest]
    assert store.names() == []


@given(
    st.dictionaries(st.text("ab/", min_size=1, max_size=4), st.binary(max_size=4), max_size=4),
    st.dictionaries(st.text("ab/", min_size=1, max_size=4), st.binary(max_size=4), max_size=4),
)
def test_different_files_have_different_digests(tmp_path_factory, one, other):
    def digest(files):
        folder = tmp_path_factory.mktemp("d")
        named = {}
        for number, (name, content) in enumerate(sorted(files.items())):
            (folder / str(number)).write_bytes(content)
            named[name] = folder / str(number)
        return digest_of(named)

    assert (digest(one) == digest(other)) == (one == other)


def test_the_bundles_bytecode_is_for_this_interpreter(store, handler):
    bundle = make(store, handler)
    (compiled,) = (bundle.path / "__pycache__").glob("index.*.pyc")
    assert sys.implementation.cache_tag in compiled.name
