"""Rules for every test: on CI a skipped test is a failed one, because .ci/run installs what the tests need."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and os.environ.get("GENIE_CI") == "1" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped on CI, where nothing may be: {call.excinfo.value if call.excinfo else item.nodeid}"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    if report.skipped and os.environ.get("GENIE_CI") == "1":  # a whole module, by importorskip
        report.outcome = "failed"
        report.longrepr = f"skipped on CI, where nothing may be: {collector.nodeid}: {report.longrepr}"
    return report
