# The tag is pinned, the digest is not: it could not be looked up and checked where this was written.
# Whoever publishes the image passes one: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# Seconds since 1970. Given the same and the same base, two builds give the same files: see docs/container.md.
ARG SOURCE_DATE_EPOCH
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore PYTHONHASHSEED=0
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv --without-pip /opt/providerswitch \
 && python -m pip --python /opt/providerswitch/bin/python install --require-hashes -r requirements/runtime.txt \
 && python -m venv --without-pip /tools \
 && python -m pip --python /tools/bin/python install --require-hashes -r requirements/build.txt
COPY . .
RUN python -m pip --python /tools/bin/python wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m pip --python /opt/providerswitch/bin/python install --no-deps --no-index /wheels/*.whl
# The last line proves that the files are enough, whatever the base was.
RUN PYTHONPATH=hack python -m image.rootfs --environment /opt/providerswitch --into /rootfs \
 && chroot --userspec=65532:65532 /rootfs /opt/providerswitch/bin/python -m providerswitch --version

FROM scratch
#checkov:skip=CKV_DOCKER_7:checkov does not read ARG; hadolint (DL3006, DL3007) sees that the base has a tag and that it is not latest
#checkov:skip=CKV_DOCKER_2:Kubernetes ignores HEALTHCHECK and asks /healthz itself; there is no shell or curl to ask with
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=https://github.com/providerswitch/providerswitch
LABEL org.opencontainers.image.title="providerswitch" \
      org.opencontainers.image.description="Kubernetes operator that keeps every workload on a working LLM provider" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /rootfs/ /
# Bytecode is written in the build; at run time the root is read-only.
ENV PATH=/opt/providerswitch/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1
# A number, not a name: runAsNonRoot can only check a number.
USER 65532:65532
WORKDIR /
EXPOSE 8080
ENTRYPOINT ["python", "-m", "providerswitch"]
CMD ["run"]
