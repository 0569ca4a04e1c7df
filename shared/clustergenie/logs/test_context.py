import contextvars
import io
import json
import logging
import subprocess
import sys
import threading

from clustergenie.logs import bind, context, scope
from clustergenie.logs.output import JsonFormatter, install


def test_a_scope_ends_with_everything_as_it_was():
    with scope(call_id="c1", trace_id="t1"):
        bind(job_id="job-1")
        assert context.current() == {"call_id": "c1", "trace_id": "t1", "job_id": "job-1"}
    assert context.current() == {}


def test_what_one_thread_binds_no_other_carries():
    seen = []
    with scope(job_id="job-1"):
        thread = threading.Thread(target=lambda: seen.append(context.current()))
        thread.start()
        thread.join()
    assert seen == [{}]


def test_a_copied_context_carries_the_ids_to_a_thread():
    seen = []
    with scope(job_id="job-1"):
        copy = contextvars.copy_context()
    thread = threading.Thread(target=copy.run, args=(lambda: seen.append(context.current()),))
    thread.start()
    thread.join()
    assert seen == [{"job_id": "job-1"}]


def record(stream, level, message, **more):
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(function="hello"))
    logger = logging.Logger("clustergenie.test")  # noqa: LOG001  (one of its own, that no other test hears)
    logger.addHandler(handler)
    logger.log(level, message, **more)
    return json.loads(stream.getvalue())


def test_a_line_is_json_with_the_ids_of_its_request():
    with scope(job_id="job-1", trace_id="t1"):
        line = record(io.StringIO(), logging.WARNING, "careful")
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "warning", "service": "clustergenie", "function": "hello", "msg": "careful",
        "job_id": "job-1", "trace_id": "t1", "logger": "clustergenie.test",
    }  # fmt: skip


def test_a_traceback_stays_in_its_line():
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        line = record(io.StringIO(), logging.ERROR, "it failed", exc_info=True)
    assert line["msg"].startswith("it failed\nTraceback")
    assert line["msg"].endswith("RuntimeError: broken")


def test_a_root_logger_that_is_set_up_is_left_alone():
    before = list(logging.getLogger().handlers)
    install(io.StringIO())
    assert logging.getLogger().handlers == before or not before


def test_importing_the_context_imports_nothing_heavy():
    code = "import sys; import clustergenie.logs.context; sys.exit(bool({'sqlite3', 'orjson', 'logging'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=30)
