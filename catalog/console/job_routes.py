"""The jobs page: what the workers do, did and could not do."""

import uuid
from typing import Any

from flask import Response, request

from catalog.console import pages
from catalog.jobqueue import QUEUES
from catalog.jobs import schemas, service

blueprint = pages.blueprint("jobs", __name__)

STATES = ("pending", "running", "completed", "failed", "cancelled")


@blueprint.get("")
@blueprint.arguments(schemas.JobQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """List jobs."""
    page, given = service.page(**query), request.args.to_dict()
    return pages.show(
        "jobs.html", part="_jobs_list.html", section="jobs", page=page, given=given, queues=QUEUES, states=STATES
    )


@blueprint.get("/workers")
def workers() -> Response:
    """Show the workers."""
    return pages.show("_workers.html", workers=service.present_workers())


@blueprint.get("/<uuid:job_id>")
def show(job_id: uuid.UUID) -> Response:
    """Show a job with its outcome."""
    return pages.show("job.html", part="_job.html", section="jobs", job=service.get(str(job_id)))


@blueprint.post("/<uuid:job_id>/cancel")
def cancel(job_id: uuid.UUID) -> Response:
    """Cancel a job."""
    job = service.cancel(str(job_id))
    return pages.show("job.html", part="_job.html", job=job, notice="The job is told to end.")


@blueprint.post("/<uuid:job_id>/retry")
def retry(job_id: uuid.UUID) -> Response:
    """Run a job again."""
    return pages.show("job.html", part="_job.html", job=service.retry(str(job_id)), notice="The job is queued again.")
