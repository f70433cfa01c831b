"""Files for others: tables, descriptors, bundles with checksums, and their verification."""
