#!/usr/bin/env bash
# Programs that some tests need (the other sandbox, a browser for exported pages): as root they are
# installed, otherwise those tests are skipped and this says so.
set -euo pipefail

missing=()
for pair in bwrap:bubblewrap chromium:chromium openssl:openssl patch:patch; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed here, so their tests are skipped: ${missing[*]}"
    exit 0
fi
echo "Installing for the tests with apt-get (a minute or two): ${missing[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
