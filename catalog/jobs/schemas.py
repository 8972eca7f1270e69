"""What the API takes and gives for jobs."""

import marshmallow as ma
from marshmallow import fields, validate

from catalog.examples import ID
from catalog.fields import Boolean, Integer, Moment
from catalog.jobqueue import QUEUES
from catalog.jobs.records import KEYS
from catalog.pagination import OffsetPageSchema

LONGEST_TEST_SECONDS = 60


class JobSchema(ma.Schema):
    """A background job. One that stands for a row, an import say, tells what that tells under its own address."""

    id = fields.String(required=True, metadata={"example": ID})
    task_id = fields.Function(
        lambda job: job.id, metadata={"type": "string", "description": "The same as `id`", "example": ID}
    )
    kind = fields.String(required=True, validate=validate.OneOf(["job", "import", "bulk_deletion", "product_write"]))
    record_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "The import, the bulk deletion or the queued write that it stands for"},
    )
    function = fields.String(required=True, metadata={"example": "catalog.jobs.jobs.test"})
    queue = fields.String(required=True, metadata={"example": "default"})
    state = fields.String(
        required=True,
        validate=validate.OneOf(["pending", "running", "completed", "failed", "stopped", "cancelled"]),
    )
    status = fields.String(
        required=True,
        validate=validate.OneOf(["PENDING", "STARTED", "PROGRESS", "SUCCESS", "FAILURE"]),
        metadata={"description": "The state in raw form"},
    )
    percent = fields.Integer(required=True, metadata={"example": 40})
    message = fields.String(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    worker = fields.String(required=True, allow_none=True, metadata={"description": "Who runs it"})
    enqueued_at = Moment(required=True, allow_none=True)
    started_at = Moment(required=True, allow_none=True)
    ended_at = Moment(required=True, allow_none=True)


class JobWithResultSchema(JobSchema):
    """A background job with its result, null until it has ended well."""

    result = fields.Raw(required=True, allow_none=True)


class JobPageSchema(OffsetPageSchema):
    """One page of jobs."""

    items = fields.List(fields.Nested(JobSchema), required=True)


class JobQuerySchema(ma.Schema):
    """Which jobs, and which page of them."""

    queue = fields.String(load_default=None, validate=validate.OneOf(QUEUES))
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(list(KEYS)),
        metadata={"description": "Where the queue keeps it; `failed` has the stopped ones, too"},
    )
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))


class WorkerSchema(ma.Schema):
    """A worker process."""

    name = fields.String(required=True, metadata={"example": "default.4711"})
    queue = fields.String(required=True, metadata={"example": "default"})
    state = fields.String(required=True, metadata={"example": "idle"})
    alive = fields.Boolean(required=True, metadata={"description": "Whether its process listens for commands"})
    current_job = fields.String(required=True, allow_none=True)
    last_heartbeat = Moment(required=True, allow_none=True)
    started_at = Moment(required=True, allow_none=True)
    host = fields.String(required=True, allow_none=True)
    pid = fields.Integer(required=True, allow_none=True)
    jobs_done = fields.Integer(required=True, metadata={"example": 12})
    jobs_failed = fields.Integer(required=True, metadata={"example": 0})


class WorkerListSchema(ma.Schema):
    """All workers."""

    items = fields.List(fields.Nested(WorkerSchema), required=True)
    total = fields.Integer(required=True)


class TestJobSchema(ma.Schema):
    """How the test job is to behave."""

    __test__ = False  # no test of pytest's

    seconds = Integer(
        load_default=0, validate=validate.Range(0, LONGEST_TEST_SECONDS), metadata={"description": "How long it takes"}
    )
    fail = Boolean(load_default=False, metadata={"description": "Whether it fails at its end"})


class SubmittedJobSchema(ma.Schema):
    """The answer to work that goes on in the background."""

    task_id = fields.String(required=True, metadata={"example": ID})
    status = fields.String(required=True, metadata={"example": "submitted"})
    message = fields.String(required=True, metadata={"example": "Test job submitted"})
