"""REST over jobs, under two addresses: ours, and the one that clients of Celery services know."""

import uuid
from typing import Any

from catalog.http import Blueprint
from catalog.jobs import schemas, service

jobs = Blueprint("jobs", __name__, url_prefix="/api/v1/jobs", description="Background jobs and workers.", scope="jobs")
celery = Blueprint(
    "celery", __name__, url_prefix="/api/v1/celery", description="The same, as Celery services have it.", scope="jobs"
)


@celery.get("/workers")
@jobs.get("/workers")
@jobs.response(200, schemas.WorkerListSchema)
@jobs.problem(503, "The queue does not answer")
def list_workers() -> Any:
    """List the workers

    With what each does, its last heartbeat, and how much it has done.
    """
    found = service.present_workers()
    return {"items": found, "total": len(found)}


@celery.get("")
@jobs.get("")
@jobs.arguments(schemas.JobQuerySchema, location="query")
@jobs.response(200, schemas.JobPageSchema)
@jobs.problem(503, "The queue does not answer")
def list_jobs(query: dict[str, Any]) -> Any:
    """List jobs

    By queue and state, in each the latest first; of waiting jobs the next one first. Results are left out.
    """
    return service.page(**query)


@celery.get("/task/<uuid:job_id>")
@jobs.get("/<uuid:job_id>")
@jobs.response(200, schemas.JobWithResultSchema)
@jobs.problem(404, "No such job")
@jobs.problem(503, "The queue does not answer")
def get_job(job_id: uuid.UUID) -> Any:
    """Watch a job

    By its own id, or by that of an import, a bulk deletion or a queued write.
    """
    return service.get(str(job_id))


@celery.delete("/task/<uuid:job_id>")
@jobs.delete("/<uuid:job_id>")
@jobs.response(202, schemas.JobWithResultSchema)
@jobs.problem(404, "No such job")
@jobs.problem(409, "It has ended already, or cannot be reached")
@jobs.problem(503, "The queue does not answer")
def cancel_job(job_id: uuid.UUID) -> Any:
    """Cancel a job

    A waiting one at once; the worker of a running one is told to stop it. An import or a bulk deletion ends after the
    chunk at hand; what was done by then stays. A queued write is called off, and has then failed.
    """
    return service.cancel(str(job_id))


@celery.post("/task/<uuid:job_id>/retry")
@jobs.post("/<uuid:job_id>/retry")
@jobs.once()
@jobs.response(202, schemas.JobWithResultSchema)
@jobs.problem(404, "No such job")
@jobs.problem(409, "It did not fail")
@jobs.problem(503, "The queue does not answer")
def retry_job(job_id: uuid.UUID) -> Any:
    """Run a failed or stopped job again

    From its start, with what it was given then, under the same id. A write that failed is queued anew, behind those of
    its product that were queued since.
    """
    return service.retry(str(job_id))
