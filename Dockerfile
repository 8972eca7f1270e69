# One image for the web server, the workers, the clock, the migration and, built with EXTRA, the tests.
# No step needs BuildKit. Behind a mirror: --build-arg PIP_INDEX_URL=…

FROM python:3.14-slim AS build
ARG PIP_INDEX_URL=
WORKDIR /app
COPY requirements.txt .
# Wheels alone: whatever would need a compiler fails here, and not by what a compiler makes of it today.
RUN [ -n "$PIP_INDEX_URL" ] || unset PIP_INDEX_URL \
 && python -m venv --without-pip /opt/catalog \
 && python -m pip --python /opt/catalog/bin/python install --no-cache-dir --disable-pip-version-check \
    --only-binary :all: --require-hashes -r requirements.txt
ARG EXTRA=
COPY requirements-*.txt ./
RUN [ -n "$PIP_INDEX_URL" ] || unset PIP_INDEX_URL \
 && [ -z "$EXTRA" ] || python -m pip --python /opt/catalog/bin/python install --no-cache-dir \
    --disable-pip-version-check --only-binary :all: --require-hashes -r "$EXTRA"
COPY . .
# Readable for whoever runs it, whatever the umask here; compiled, since the file system may be read-only there.
RUN chmod -R go=rX . && /opt/catalog/bin/python -m compileall -q catalog migrations *.py

FROM python:3.14-slim
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="catalog" \
      org.opencontainers.image.description="A product catalog: REST, GraphQL, imports, webhooks, orders" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
RUN groupadd --gid 10001 catalog \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin catalog \
 && install -d -o catalog -g catalog /data
COPY --from=build /opt/catalog /opt/catalog
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/catalog/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data
USER 10001:10001
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "catalog.health.probe"]
CMD ["python", "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]
