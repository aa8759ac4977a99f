# The sandbox's image: where the model's commands run. Built by `make sandbox` (sandbox/docker/image.py),
# which hands in BASE (Debian with python3 and pip) and, in host/, what a machine behind its own
# certificates and package index needs for the build.
ARG BASE=python:3.12-slim

# Python packages are installed in a stage of their own, so that the pip settings of the machine
# (an index address may hold a password) never reach the image.
FROM ${BASE} AS packages
COPY host/ /host/
RUN cp /host/certificates/*.crt /usr/local/share/ca-certificates/ 2>/dev/null; \
    update-ca-certificates >/dev/null
ENV PIP_CONFIG_FILE=/host/pip.conf PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m pip install --root /packages --ignore-installed --no-cache-dir \
        --break-system-packages --no-warn-script-location --root-user-action=ignore \
        --disable-pip-version-check \
        ipython matplotlib numpy openpyxl pypdfium2 pytest requests

FROM ${BASE}
COPY host/certificates/ /usr/local/share/ca-certificates/
RUN update-ca-certificates >/dev/null \
    && apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        build-essential ca-certificates curl file git jq less procps ripgrep tree unzip xz-utils \
        >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt
COPY --from=packages /packages/ /

# Whatever the uid, `pip install` goes to the user's own site; https trusts what the system trusts.
# No bytecode: a model edits and runs within one second, and Python would take a module whose size
# is the same for unchanged.
ENV LANG=C.UTF-8 \
    MPLBACKEND=Agg \
    PIP_BREAK_SYSTEM_PACKAGES=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
WORKDIR /workspace
CMD ["bash"]
