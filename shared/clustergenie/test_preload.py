import subprocess
import sys


def test_after_the_preload_there_is_no_thread_connection_or_client():
    code = """
import os, sys, threading
before = set(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else set()
import clustergenie.preload
after = set(os.listdir("/proc/self/fd")) if before else set()
import gc, redis, sqlalchemy
assert threading.active_count() == 1, threading.enumerate()
assert len(after) == len(before), after
assert not [thing for thing in gc.get_objects() if isinstance(thing, (redis.Redis, sqlalchemy.Engine))]
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
