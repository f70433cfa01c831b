"""Models in graph order: inputs in, one Parquet file a table out."""
