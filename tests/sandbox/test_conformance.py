"""Both backends do what the protocol says."""

from sandbox.conformance.bash import *  # noqa: F403
from sandbox.conformance.connections import *  # noqa: F403
from sandbox.conformance.files import *  # noqa: F403
from sandbox.conformance.jobs import *  # noqa: F403
from sandbox.conformance.limits import *  # noqa: F403
from sandbox.conformance.python import *  # noqa: F403
