"""`python -m autobeta.cli`."""

import sys

from autobeta.cli import main

sys.exit(main())
