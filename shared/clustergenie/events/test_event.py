import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustergenie.clock import ManualClock
from clustergenie.events import Event, EventError, catalogue

CREATED = catalogue.ClusterCreated(cluster_id="cluster-1", name="prod", region="nyc1", status="healthy")
texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


def test_headers_are_cloud_events_in_binary_mode():
    event = Event(
        "job.requested",
        "job-1",
        {"job_id": "job-1"},
        id="e1",
        time=ManualClock()(),
        extensions={"jobtype": "diagnose"},
    )
    assert event.headers() == {
        "ce_specversion": "1.0", "ce_id": "e1", "ce_type": "job.requested", "ce_source": "clustergenie",
        "ce_subject": "job-1", "ce_time": "2026-01-01T00:00:00.000Z", "ce_jobtype": "diagnose",
        "content-type": "application/json",
    }  # fmt: skip


@given(
    texts,
    texts,
    texts,
    st.dictionaries(st.from_regex(r"x[a-z0-9]{0,10}", fullmatch=True), texts),
    st.dictionaries(st.text(), st.integers(-9, 9)),
)
def test_an_event_survives_its_headers_and_body(kind, subject, source, extensions, data):
    event = Event(kind, subject, data, source=source, extensions=extensions)
    as_http = {name.replace("ce_", "Ce-", 1): value for name, value in event.headers().items()}
    assert Event.from_headers(event.headers(), event.body()) == event
    assert Event.from_headers(as_http, event.body()) == event


@pytest.mark.parametrize(
    ("change", "body", "reason"),
    [
        ({"ce_specversion": "0.3"}, b"{}", "specversion"),
        ({"ce_id": ""}, b"{}", "ce-id"),
        ({"ce_type": ""}, b"{}", "ce-type"),
        ({"ce_time": "noon"}, b"{}", "ce-time"),
        ({}, b"{", "not JSON"),
        ({}, b"[]", "JSON object"),
        ({"ce_Bad-Name": "x"}, b"{}", "extension"),
    ],
)
def test_a_message_that_is_no_event_says_what_is_wrong(change, body, reason):
    headers = CREATED.event("cluster-1").headers() | change
    with pytest.raises(EventError, match=reason):
        Event.from_headers(headers, body)


def test_an_extension_cannot_replace_an_attribute():
    with pytest.raises(EventError, match="'type'"):
        Event("a", "b", {}, extensions={"type": "other"})


def test_a_job_event_can_be_filtered_by_job_type_in_attribute_and_data():
    event = catalogue.JobStarted(job_id="job-1", job_type="diagnose", attempt=1, worker="w").event("job-1")
    assert event.extensions == {"jobtype": "diagnose"}
    assert event.data["job_type"] == "diagnose"


def test_data_is_read_as_the_schema_of_its_type():
    assert catalogue.read(CREATED.event("cluster-1")) == CREATED


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Event("cluster.painted", "c", {}), "not in the catalogue"),
        (Event("cluster.created", "c", {"cluster_id": "c"}), "name"),
        (Event("cluster.created", "c", CREATED.model_dump() | {"status": "odd"}), "status"),
        (Event("cluster.created", "c", CREATED.model_dump() | {"extra": 1}), "extra"),
    ],
)
def test_what_does_not_fit_the_catalogue_is_refused(event, reason):
    with pytest.raises(EventError, match=reason):
        catalogue.check(event)


def test_every_type_in_the_catalogue_is_its_schemas_own():
    assert all(kind == schema.TYPE for kind, schema in catalogue.CATALOGUE.items())
