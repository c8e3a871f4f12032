# The tag is pinned, the digest is not: it could not be looked up and checked where this was written.
# Whoever publishes the image passes one: --build-arg PYTHON_IMAGE=python:3.13.9-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv --without-pip /opt/providerswitch \
 && python -m pip --python /opt/providerswitch/bin/python install --require-hashes -r requirements/runtime.txt \
 && python -m pip install --require-hashes -r requirements/build.txt
COPY . .
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m pip --python /opt/providerswitch/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="providerswitch" \
      org.opencontainers.image.description="Kubernetes operator that keeps every workload on a working LLM provider" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/providerswitch /opt/providerswitch
ENV PATH=/opt/providerswitch/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1
# A number, not a name: runAsNonRoot can only check a number.
USER 65532:65532
WORKDIR /
ENTRYPOINT ["python", "-m", "providerswitch"]
CMD ["run"]
