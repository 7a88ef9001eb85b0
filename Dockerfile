# One image for the control plane and for workers: `durable server` and `durable worker`.
#
#   docker build -t durable .
#   docker run -p 127.0.0.1:50051:50051 -v durable:/data durable
#
# This file was NOT RUN in a container engine yet. Tests do what can be done without one: a
# linter (hadolint) reads it, and the health check and the command are run as plain processes.
#
# Why --insecure and --no-auth. In a container it must listen on the container's address to be reached at all, and beyond
# loopback it asks for TLS and tokens unless it is told that the network is yours. So the flags are here for a try on one
# machine, and the port should be published on loopback or be reached only inside a private network. For anything else give
# another command, with --tls-cert and --tls-key and without the two flags: docs/operations.md, "TLS".
#
# For a worker, add your workflows and name them (a file in the working folder, or an importable module):
#
#   FROM durable
#   COPY workflows.py /app/
#   CMD ["worker", "workflows.py", "--address", "control-plane:50051", "--insecure"]
#   HEALTHCHECK NONE
#
# --insecure again, since the worker sends plain text to another container. It needs no port of its own.

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY sdk sdk
COPY server server
COPY gen/python gen/python
COPY requirements requirements
# Without a pip of its own: nothing is installed into what is copied from here.
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/durable \
 && pip --python /opt/durable/bin/python install --no-cache-dir "$(ls /wheels/*.whl)[server,http]"

FROM python:3.13-slim
RUN groupadd --system --gid 10001 durable \
 && useradd --system --uid 10001 --gid durable --create-home durable \
 && install --directory --owner durable --group durable /data /app
COPY --from=build /opt/durable /opt/durable
ENV PATH=/opt/durable/bin:$PATH PYTHONUNBUFFERED=1
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /app
VOLUME /data
EXPOSE 50051
# Asks the gRPC health service: it says SERVING only while the control plane can accept something, so not while NATS is away.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "\
import grpc; from grpc_health.v1 import health_pb2 as h, health_pb2_grpc as s; \
channel = grpc.insecure_channel('127.0.0.1:50051', [('grpc.enable_http_proxy', 0)]); \
answer = s.HealthStub(channel).Check(h.HealthCheckRequest(), timeout=4); \
raise SystemExit(answer.status != h.HealthCheckResponse.SERVING)"]
# SIGTERM lets requests under way end, 5 seconds; then the log and the embedded NATS server are closed.
STOPSIGNAL SIGTERM
ENTRYPOINT ["durable"]
CMD ["server", "--listen", "0.0.0.0:50051", "--insecure", "--no-auth", "--data-dir", "/data"]
