"""`python -m providerswitch`."""

import sys

from providerswitch.main import main

sys.exit(main())
