"""`python -m autobeta`, also below torchrun."""

import sys

from autobeta.cli import main

sys.exit(main())
