# The hub's image: what requirements.lock pins for running, the hub, its mappings; no root.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE NOTICE ./
COPY tools/lock.py tools/lock.py
RUN python3 tools/lock.py --part run > run.lock && python3 tools/lock.py --part build > build.lock
RUN python3 -m venv /opt/healthhub && /opt/healthhub/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes -r run.lock
RUN python3 -m venv /src/builder && /src/builder/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes -r build.lock
COPY adapters adapters
COPY healthhub healthhub
RUN /src/builder/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir wheels .
RUN /opt/healthhub/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps wheels/*.whl
COPY mappings /opt/healthhub/mappings

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin healthhub && install --directory --owner=healthhub --mode=0700 /data
COPY --from=build /opt/healthhub /opt/healthhub
ENV PATH=/opt/healthhub/bin:/usr/local/bin:/usr/bin:/bin
ENV PYTHONUNBUFFERED=1
ENV HEALTHHUB_DATA_DIR=/data
ENV HEALTHHUB_MAPPINGS_DIR=/opt/healthhub/mappings
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 2575
ENTRYPOINT ["healthhub"]
CMD ["serve"]
