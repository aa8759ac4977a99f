#!/usr/bin/env bash
# Runs the tests: most of them two at a time, and after them those that need the machine to
# themselves. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."

NONE_SELECTED=5 # pytest's exit code

part() { .venv/bin/python -m pytest --part "$@"; }

part together -n 2 --dist loadgroup "$@"
together=$?
part alone "$@"
alone=$?

[ "$together" != $NONE_SELECTED ] || exit "$alone"
[ "$alone" != $NONE_SELECTED ] || exit "$together"
exit $((together > alone ? together : alone))
