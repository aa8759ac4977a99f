#!/usr/bin/env bash
# Sees to it that a Docker engine answers: as root by installing and starting one, saying so.
set -euo pipefail
cd "$(dirname "$0")/.."

LOG=/var/log/sii-dockerd.log
WAIT=60 # seconds for a started engine to answer

answers() {
    .venv/bin/python - 2>/dev/null <<'PY'
import docker
docker.from_env(timeout=10).ping()
PY
}

fail() { echo "$*" >&2; exit 1; }

wait_for_answer() {
    for _ in $(seq "$WAIT"); do
        answers && return
        sleep 1
    done
    return 1
}

answers && exit 0

[ "$(id -u)" = 0 ] ||
    fail "No Docker engine answers: install and start Docker and join its group, or run this as root."

if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null ||
        fail "No Docker engine answers, and without apt-get none can be installed: install Docker."
    echo "Installing docker.io with apt-get (about a minute)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        ca-certificates docker.io >/dev/null
    answers && exit 0
fi

if [ -d /run/systemd/system ]; then
    echo "Starting the Docker engine (systemctl start docker)"
    systemctl start docker
else
    if ! mountpoint -q /sys/fs/cgroup; then
        apt-get install -qq -y --no-install-recommends cgroupfs-mount >/dev/null
        cgroupfs-mount
    fi
    echo "Starting the Docker engine (dockerd, in the background; its log: $LOG)"
    setsid nohup dockerd >"$LOG" 2>&1 </dev/null &
fi

wait_for_answer ||
    fail "The Docker engine does not answer after $WAIT s; its log tells why: $(tail -n 1 "$LOG" 2>/dev/null)"
