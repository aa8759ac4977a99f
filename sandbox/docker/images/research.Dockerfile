# The image `research`: papers, data and statistics. Built on `base` by `sii sandbox build research`.
ARG BASE=sii-sandbox:latest

FROM ${BASE} AS packages
COPY host/ /host/
ENV PIP_CONFIG_FILE=/host/pip.conf PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m pip install --root /packages --no-cache-dir --no-compile \
        --no-warn-script-location --root-user-action=ignore \
        nbconvert pandas pyarrow scikit-learn scipy statsmodels

FROM ${BASE}
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        fontconfig fonts-dejavu-core fonts-liberation fonts-noto-cjk \
        >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt
COPY --from=packages /packages/ /
