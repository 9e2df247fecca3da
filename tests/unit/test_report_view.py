from __future__ import annotations

import pytest

from tasks._builder import BuildTerms
from tasks._entities import Kind
from tasks._render import report_json, to_html, to_markdown
from tasks._types import Status
from tasks._view import Tone, View
from tasks.diff import Change, EntityChange
from tasks.report_records import Report
from tasks.report_view import view_of
from tests.unit import samples


def texts(view: View) -> str:
    return to_markdown(view).replace("\\", "")


@pytest.mark.parametrize(
    ("report", "tone"),
    [
        pytest.param(samples.report(), Tone.GOOD, id="passed"),
        pytest.param(samples.report(tested=samples.smoke(samples.FAILED)), Tone.BAD, id="failed"),
        pytest.param(samples.report(tested=samples.smoke(samples.UNTESTED)), Tone.WARN, id="untested"),
    ],
)
def test_verdict_comes_first_and_has_its_tone(report: Report, tone: Tone) -> None:
    view = view_of(report)
    assert view.tone is tone
    assert to_markdown(view).startswith("## ")
    assert report.outcome in view.headline


def test_sections_follow_the_order_of_the_steps() -> None:
    titles = [section.title for section in view_of(samples.report()).sections]
    assert titles == [
        "Plan",
        "Image",
        "Package",
        "Admission",
        "Registration",
        "Changes of entities",
        "Smoke tests",
        "Steps",
        "Versions",
    ]


def test_breaking_change_is_marked_as_such() -> None:
    [section] = [one for one in view_of(samples.report()).sections if one.title == "Changes of entities"]
    assert section.tone is Tone.WARN
    assert "breaks callers: input rows" in section.tables[0].rows[0][3].text


def test_tasks_that_changed_in_their_image_alone_share_a_row() -> None:
    report = samples.report()
    assert report.registered is not None and report.registered.diff is not None
    image = "container.image: fraud@sha256:1 → fraud/previews@sha256:2"
    other = [image, "metadata.retries.retries: 1 → 2"]
    changes = [
        EntityChange(kind=Kind.TASK, name=name, change=Change.CHANGED, against="v1", details=details)
        for name, details in (("fit", [image]), ("score", other), ("write", [image]))
    ]
    diff = report.registered.diff.model_copy(update={"changes": changes})
    registered = report.registered.model_copy(update={"diff": diff})
    sections = view_of(report.model_copy(update={"registered": registered})).sections
    [section] = [one for one in sections if one.title == "Changes of entities"]
    rows = [[cell.text for cell in row[1:]] for row in section.tables[0].rows]
    assert rows == [
        ["task", "score", "; ".join(other)],
        ["task", "2 tasks", f"nothing but {image}: fit, write"],
    ]
    assert "3 changed" in section.summary


def test_time_that_flyte_does_not_give_is_unknown() -> None:
    [section] = [one for one in view_of(samples.report()).sections if one.title == "Steps"]
    assert section.tables[0].rows[2][2].text == "unknown"


def test_smoke_test_that_ran_and_was_disliked_has_not_succeeded() -> None:
    smoke = samples.smoke()
    disliked = smoke.results[0].model_copy(update={"status": Status.FAILED})
    report = samples.report(tested=smoke.model_copy(update={"results": [disliked]}))
    [section] = [one for one in view_of(report).sections if one.title == "Smoke tests"]
    assert section.tables[0].rows[0][1].text == "other outputs"


def test_error_of_a_smoke_test_is_shown_as_it_came() -> None:
    assert "ValueError: <b>no rows</b>" in texts(
        view_of(samples.report(tested=samples.smoke(samples.FAILED)))
    )


def test_long_lists_are_cut_and_say_so() -> None:
    report = samples.report()
    assert report.plan is not None
    long = report.model_copy(update={"plan": report.plan.model_copy(update={"changed_count": 1234})})
    assert "and 1232 more" in texts(view_of(long))


def test_files_of_a_folder_are_one_ingredient_of_the_image() -> None:
    report = samples.report()
    assert report.plan is not None
    files = {f"file:src/{number}.py": "d" * 40 for number in range(300)}
    plan = report.plan.model_copy(
        update={
            "ingredients": {**report.plan.ingredients, **files},
            "terms": BuildTerms(dependencies=["requirements.lock", "src"]),
        }
    )
    said = texts(view_of(report.model_copy(update={"plan": plan})))
    assert "file:requirements.lock" in said and "folder:src" in said
    assert "src/1.py" not in said


def test_report_comes_back_from_its_own_deck() -> None:
    report = samples.report(tested=samples.smoke(samples.FAILED))
    page = to_html(view_of(report), report.model_dump_json())
    read = Report.model_validate_json(report_json(page) or "")
    assert read.model_dump_json() == report.model_dump_json()
