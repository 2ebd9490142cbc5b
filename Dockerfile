# syntax=docker/dockerfile:1
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock requirements-otel.txt deploy/production_requirements.py ./
# Whether the packages that traces need are put in.
ARG TRACES=false
# The embedded database servers of `manage.py up` are not for production; the rest is checked by hash.
RUN python production_requirements.py requirements.lock > production.lock \
    && python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r production.lock \
    && if [ "$TRACES" = true ]; then \
        /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-otel.txt; fi \
    && /opt/venv/bin/pip check \
    && /opt/venv/bin/pip uninstall --yes pip setuptools

FROM python:${PYTHON_VERSION}-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_FORMAT=json
RUN groupadd --gid 10001 paraph \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent paraph \
    # A volume that is mounted here belongs to it.
    && install --directory --owner=paraph --group=paraph --mode=0700 /checkpoints
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY manage.py ./
COPY core core
COPY audit audit
COPY accounts accounts
COPY projects projects
COPY context context
COPY agents agents
COPY hitl hitl
COPY semantic semantic
COPY notifications notifications
COPY ops ops
COPY orchestrator orchestrator
COPY ui ui
COPY examples examples
# Made here, so that the container needs no folder to write to. Settings take no secret for this.
RUN python manage.py collectstatic --noinput --verbosity 0 && python -m compileall -q .
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "orchestrator.server", "--host", "0.0.0.0", "--port", "8000", "--proxy-headers"]
