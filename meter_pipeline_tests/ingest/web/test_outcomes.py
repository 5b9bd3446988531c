"""The outcome of an HTTP status: which say something of the photo, which are worth another attempt."""

from __future__ import annotations

import pytest

from meter_pipeline.ingest.web.outcomes import RETRIED_STATUSES, Outcome, outcome_of_status, status_text


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, Outcome.FORBIDDEN),
        (404, Outcome.NOT_FOUND),
        (410, Outcome.NOT_FOUND),
        (429, Outcome.RATE_LIMITED),
        (451, Outcome.FORBIDDEN),
        (418, Outcome.HTTP_ERROR),
        (599, Outcome.HTTP_ERROR),
    ],
)
def test_a_status_has_its_outcome(status: int, outcome: Outcome) -> None:
    assert outcome_of_status(status) == outcome


def test_only_what_may_pass_is_tried_again() -> None:
    assert {408, 429, 500, 502, 503, 504, 599} <= RETRIED_STATUSES
    assert not {400, 401, 403, 404, 410, 501, 505, 511} & RETRIED_STATUSES


def test_a_status_is_shown_as_people_know_it() -> None:
    assert [status_text(status) for status in (404, 599)] == ["404 Not Found", "599"]
