"""`python -m simulator.cli` is `herd`."""

import sys

from simulator.cli.app import main

sys.exit(main())
