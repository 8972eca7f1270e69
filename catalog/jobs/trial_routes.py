"""A job for trying the queue with. It is not there in production."""

from typing import Any

from flask import request, url_for

from catalog.http import Blueprint
from catalog.jobs import schemas, service
from catalog.openapi import LOCATION

trials = Blueprint("trials", __name__, description="A job for trying the queue with; not in production.", scope="jobs")


@trials.post("/test")
@trials.arguments(schemas.TestJobSchema, required=False)
@trials.once()
@trials.response(202, schemas.SubmittedJobSchema, headers=LOCATION)
@trials.problem(503, "The queue does not answer")
def submit_test_job(wanted: dict[str, Any]) -> Any:
    """Submit a test job

    It does nothing for `seconds`, showing its progress, and fails at the end if it is to `fail`. Not in production.
    """
    job_id = service.submit_test(**wanted)
    answer = {"task_id": job_id, "status": "submitted", "message": "Test job submitted"}
    shown_by = (request.blueprint or "").removesuffix("_trial")
    return answer, 202, {"Location": url_for(f"{shown_by}.get_job", job_id=job_id)}
