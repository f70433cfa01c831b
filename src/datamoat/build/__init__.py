"""Models in graph order: inputs in, one Parquet file a table out."""

import os

# Polars' allocator keeps freed memory for good unless this is set before the first import (Polars issue 23128).
os.environ.setdefault("_RJEM_MALLOC_CONF", "background_thread:true,dirty_decay_ms:100,muzzy_decay_ms:0")
