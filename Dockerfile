# Taxiway's own image: what its tasks run in on a cluster, and the `taxiway` command.
#
#     DOCKER_BUILDKIT=1 docker build --tag taxiway .
#
# The base is a Debian with Python 3.10 to 3.13 and pip. Where packages come from is handed in as BuildKit
# secrets, of which no layer keeps anything: `--secret id=pip_conf,src=pip.conf` is a configuration of pip,
# `--secret id=ca,src=ca.pem` the certificates to trust. There are no cache mounts, for whatever else is
# built on the same engine could write to them.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# What requirements.lock says, without what only development needs; and what builds the wheel, beside it.
FROM ${BASE_IMAGE} AS dependencies
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never PATH=/tools/bin:$PATH
WORKDIR /src
COPY pyproject.toml requirements.lock ./
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca \
    set -eu; \
    if [ -e /run/secrets/pip_conf ]; then export PIP_CONFIG_FILE=/run/secrets/pip_conf; fi; \
    if [ -e /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi; \
    pip_says() { python3 -m pip config get "global.$1" 2>/dev/null | tr '\n' ' ' | sed 's/ $//'; }; \
    UV_DEFAULT_INDEX=$(pip_says index-url); \
    UV_INDEX=$(pip_says extra-index-url); \
    UV_INSECURE_HOST=$(pip_says trusted-host); \
    if [ -n "$UV_DEFAULT_INDEX" ]; then export UV_DEFAULT_INDEX; fi; \
    export UV_INDEX UV_INSECURE_HOST; \
    sed 's/ *;.*//' requirements.lock > /tmp/pins; \
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --no-cache-dir --no-deps --target /tools "$(grep '^uv==' /tmp/pins)"; \
    uv venv --quiet --python "$(command -v python3)" /wheel; \
    uv pip install --quiet --python /wheel --constraints requirements.lock hatchling; \
    uv venv --quiet --python "$(command -v python3)" /opt/taxiway; \
    uv pip install --quiet --python /opt/taxiway --compile-bytecode \
        --constraints requirements.lock --requirements pyproject.toml; \
    if uv pip freeze --python /opt/taxiway | grep -vxFf /tmp/pins; then \
        echo 'These are not in requirements.lock.' >&2; exit 1; \
    fi; \
    echo /opt/taxiway/code > "$(echo /opt/taxiway/lib/python3*/site-packages)/taxiway.pth"

# Taxiway itself, which changes more often than all else.
FROM dependencies AS code
COPY README.md LICENSE ./
COPY scripts scripts
COPY tasks tasks
COPY workflows workflows
RUN set -eu; \
    /wheel/bin/python -m hatchling build --target wheel --directory /tmp/dist; \
    uv pip install --quiet --offline --no-deps --python /opt/taxiway --target /opt/taxiway/code \
        --compile-bytecode /tmp/dist/*.whl

# The client of a container engine, the one program of its package that tasks start. Newer Debians have it
# in packages of its own; an engine that refuses the client of an older one needs such a base.
FROM ${BASE_IMAGE} AS client
WORKDIR /client
RUN set -eu; \
    mkdir -p bin lib/docker/cli-plugins; \
    if command -v docker >/dev/null; then exit; fi; \
    cd /tmp; \
    apt-get update --quiet --quiet; \
    apt-get download docker-cli docker-buildx 2>/dev/null || apt-get download docker.io; \
    for package in *.deb; do dpkg-deb --extract "$package" files; done; \
    cp files/usr/bin/docker /client/bin; \
    cp files/usr/libexec/docker/cli-plugins/docker-buildx /client/lib/docker/cli-plugins 2>/dev/null || true

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="Taxiway" \
    org.opencontainers.image.description="Release engineering for Flyte, run on Flyte" \
    org.opencontainers.image.licenses="Apache-2.0"
# Packages are installed where the base lacks them. Python's official images come without compiled modules,
# and a task's user could not write them. The working directory's group is the one that clusters give to
# users whose number they choose.
RUN set -eu; \
    missing=''; \
    command -v git >/dev/null || missing="$missing git"; \
    command -v ssh >/dev/null || missing="$missing openssh-client"; \
    test -e /etc/ssl/certs/ca-certificates.crt || missing="$missing ca-certificates"; \
    if [ -n "$missing" ]; then \
        export DEBIAN_FRONTEND=noninteractive; \
        for needless in doc man locale; do echo "path-exclude=/usr/share/$needless/*"; done \
            > /etc/dpkg/dpkg.cfg.d/taxiway; \
        apt-get update --quiet --quiet; \
        apt-get install --quiet --quiet --yes --no-install-recommends $missing; \
        rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log; \
    fi; \
    python3 -m compileall -q --invalidation-mode unchecked-hash -x '/(idlelib|lib2to3|site-packages|test|tests)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"; \
    useradd --uid 1000 --no-create-home --home-dir /home/taxiway taxiway; \
    install --directory --owner 1000 --group 0 --mode 775 /home/taxiway
WORKDIR /home/taxiway
COPY --from=client /client/ /usr/local/
COPY --from=dependencies /opt/taxiway /opt/taxiway
COPY --from=code /opt/taxiway/code /opt/taxiway/code
ENV PATH=/opt/taxiway/bin:/opt/taxiway/code/bin:$PATH FLYTE_SDK_RICH_TRACEBACKS=0
USER 1000
# Seldom, for tasks are short; Flyte's own clusters do not ask.
HEALTHCHECK --interval=10m --timeout=60s CMD ["python", "-m", "scripts.health"]
CMD ["taxiway", "--help"]
