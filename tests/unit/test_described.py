"""The descriptions of fields: what stands below them in the source."""

from __future__ import annotations

from tasks._described import Described, descriptions
from tasks._enrolment import Enrolment
from tasks.policy import Policy


class Parent(Described):
    """A record."""

    first: str
    """What comes
    first."""
    second: int = 2


class Child(Parent):
    """A record with more."""

    third: list[Parent] = []
    """The rest."""


def test_the_docstring_below_a_field_describes_it_in_children_too() -> None:
    assert descriptions(Parent) == {"first": "What comes\nfirst."}
    assert descriptions(Child) == {"first": "What comes\nfirst.", "third": "The rest."}


def test_the_schema_has_them_at_every_depth() -> None:
    schema = Child.model_json_schema()
    assert schema["properties"]["third"]["description"] == "The rest."
    assert "description" not in schema["properties"]["second"]
    assert schema["$defs"]["Parent"]["properties"]["first"]["description"] == "What comes\nfirst."


def test_every_table_and_key_of_a_policy_is_described() -> None:
    schema = Policy.model_json_schema()
    assert all("description" in key for key in schema["properties"].values())
    assert schema["$defs"]["ImagePolicy"]["properties"]["platform"]["description"]
    assert Enrolment.model_json_schema()["properties"]["preview"]["description"]
