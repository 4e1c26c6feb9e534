"""`python -m autobeta`, also below torchrun."""

import os
import signal
import sys

from autobeta.cli import main

try:
    sys.exit(main())
finally:
    if "TORCHELASTIC_RUN_ID" in os.environ:  # it ends all when one has ended, as this one will
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
