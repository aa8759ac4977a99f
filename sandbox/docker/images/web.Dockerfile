# The image `web`: node, npm and a browser that Python drives. Built on `base` by
# `sii sandbox build web`.
ARG BASE=sii-sandbox:latest

FROM ${BASE} AS packages
COPY host/ /host/
ENV PIP_CONFIG_FILE=/host/pip.conf PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m pip install --root /packages --no-cache-dir --no-compile \
        --no-warn-script-location --root-user-action=ignore \
        playwright

FROM ${BASE}
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        chromium fonts-dejavu-core fonts-liberation fonts-noto-cjk fonts-noto-color-emoji \
        nodejs npm \
        >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt
COPY --from=packages /packages/ /

# Playwright drives Debian's browser; it would look for one of its own.
ENV CHROMIUM=/usr/bin/chromium \
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
