# One image for every service of docker-compose.yml. Nothing is installed when a container starts.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/datamoat
RUN python -m venv /opt/venv
# The hashed lock of what runs here, the scheduler and its workers with it; a byte that differs from it stops the build.
COPY requirements-airflow.lock requirements-build.lock ./
RUN /opt/venv/bin/pip install --require-hashes --no-deps -r requirements-airflow.lock \
    && /opt/venv/bin/pip install --require-hashes --no-deps --target /opt/build -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY transforms ./transforms
COPY expectations ./expectations
COPY reports ./reports
COPY data/reference ./data/reference
RUN PYTHONPATH=/opt/build /opt/venv/bin/pip install --no-build-isolation --no-deps .

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 datamoat && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data datamoat \
    && install --directory --owner=datamoat --group=datamoat --mode=0750 /data
COPY --from=build /opt/venv /opt/venv
# Root owns the code, and the user that runs it cannot write to it.
COPY transforms /opt/datamoat/transforms
COPY expectations /opt/datamoat/expectations
COPY reports /opt/datamoat/reports
COPY dags /opt/datamoat/dags
COPY data/reference /opt/datamoat/data/reference
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 GX_ANALYTICS_ENABLED=false \
    DATAMOAT_ROOT=/opt/datamoat DATAMOAT_DATA=/data AIRFLOW_HOME=/data/airflow
WORKDIR /opt/datamoat
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["python", "-m", "datamoat.orchestration.airflow_local", "health", "http://127.0.0.1:8080", "metadatabase"]
CMD ["airflow", "api-server"]
