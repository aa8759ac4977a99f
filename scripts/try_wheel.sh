#!/usr/bin/env bash
# Installs a wheel of sii into a new environment and works with it, away from the checkout.
set -euo pipefail

wheel=$(realpath "${1:?usage: scripts/try_wheel.sh WHEEL}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export SII_HOME=$folder/home
unset PYTHONPATH SII_BASE_URL SII_WORKSPACE

python3 -m venv new
new/bin/python -m pip install -qq --disable-pip-version-check "$wheel"
for package in recordings sandbox sii_cli tools; do
    new/bin/python -I -c "
import pathlib, $package
folder = pathlib.Path($package.__file__).parent
assert folder.is_relative_to('$folder'), folder
assert (folder / 'py.typed').exists(), folder"
done
new/bin/sii --version
new/bin/sii demo
new/bin/sii list
new/bin/sii verify last
new/bin/sii replay last --html page.html
test -s page.html
echo "The wheel works: $(basename "$wheel")"
