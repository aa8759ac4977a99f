"""Like `tests.peak_memory`, with a scripted model (`tests.sii_cli.scripted_sii`)."""

from __future__ import annotations

import sys

from sii_cli.main import main
from tests.peak_memory import report_peak_memory
from tests.sii_cli.scripted_sii import pretend

if __name__ == "__main__":
    pretend(sys.argv.pop(1))
    with report_peak_memory():
        main()
