# syntax=docker/dockerfile:1

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/mergemeter
COPY requirements/app.lock /tmp/app.lock
# The lock is complete, hashes are required, and only wheels are taken: nothing is resolved, built or run.
RUN /opt/mergemeter/bin/pip install --no-deps --only-binary :all: --require-hashes -r /tmp/app.lock \
    && /opt/mergemeter/bin/pip check
COPY app /opt/mergemeter/src/app
RUN /opt/mergemeter/bin/python -m compileall -q /opt/mergemeter/src/app

FROM python:3.12-slim
LABEL org.opencontainers.image.title="Mergemeter" \
      org.opencontainers.image.description="What AI coding agents cost for each merged pull request" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin mergemeter \
    && install -d -o mergemeter -g mergemeter -m 0700 /data
COPY --from=build /opt/mergemeter /opt/mergemeter
COPY LICENSE /opt/mergemeter/LICENSE
ENV PATH=/opt/mergemeter/bin:$PATH \
    PYTHONPATH=/opt/mergemeter/src \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MERGEMETER_DATABASE_URL=sqlite:////data/mergemeter.sqlite3 \
    MERGEMETER_HOST=0.0.0.0 \
    MERGEMETER_PORT=8000
WORKDIR /data
USER mergemeter
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"MERGEMETER_PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
