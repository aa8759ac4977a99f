"""What runs inside every sandbox as its first process: standard library only, python >= 3.9.

The backend mounts this folder read-only, so it is always the client's own version. The host
shares `frames`; everything else here runs inside.
"""

from __future__ import annotations

SUPERVISOR_UID = 64999
"""The supervisor's own uid: no command runs at it."""
