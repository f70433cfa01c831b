"""A small engine for open data with provenance: fetch, land, build, audit, publish, export."""

import os

__version__ = "2026.11.0"

# One thread for linear algebra, set before numpy is loaded: on a shared machine its spinning threads cost twenty times
# the work, and our matrices are small. Not a default: another number of threads gives other last digits.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
