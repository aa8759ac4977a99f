#!/usr/bin/env bash
# Runs the tests: most of them three at a time, and after them those that need the machine to
# themselves. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."

WORKERS=3 # many tests wait for a server or a container: two would leave two cores idle
NONE_SELECTED=5 # pytest's exit code

part() { .venv/bin/python -m pytest --part "$@"; }

part together -n $WORKERS --dist loadgroup "$@"
together=$?
part alone "$@"
alone=$?

[ "$together" != $NONE_SELECTED ] || exit "$alone"
[ "$alone" != $NONE_SELECTED ] || exit "$together"
exit $((together > alone ? together : alone))
