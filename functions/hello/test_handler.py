import pytest

from clustergenie.identity import Role


def test_everybody_is_greeted_by_name(functions):
    answer = functions("hello", "POST", "/", {"name": "Ada"}, role=None)
    assert answer.status == 200
    assert "Ada" in answer.body["message"]


def test_the_whole_path_works_too(functions):
    assert functions("hello", "POST", "/api/v1/hello", {"name": "Ada"}).status == 200


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "  "}, {"name": 5}, {"name": "a\u0000b"}, {"name": "x" * 101}]
)
def test_a_name_is_needed(functions, body):
    answer = functions("hello", "POST", "/", body, role=Role.VIEWER)
    assert answer.status == 422
    assert [field["field"] for field in answer.body["fields"]] == ["name"]
