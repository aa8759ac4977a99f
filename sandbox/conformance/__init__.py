"""Tests that every sandbox backend passes, for pytest (with pytest-asyncio).

A backend of your own is tested by a module like this one:

    import pytest

    from sandbox.conformance.bash import *
    from sandbox.conformance.connections import *
    from sandbox.conformance.files import *
    from sandbox.conformance.fixtures import *
    from sandbox.conformance.jobs import *
    from sandbox.conformance.limits import *
    from sandbox.conformance.python import *


    @pytest.fixture
    def backend():
        return MyBackend()

A limit that a backend cannot hold is named in `SandboxInfo.unlimited`; its tests are skipped.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{name}"
        for name in ("bash", "connections", "files", "fixtures", "jobs", "limits", "python")
    )
)
