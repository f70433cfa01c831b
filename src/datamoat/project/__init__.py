"""The content tree as frozen values: models, sources, reference facts, and what they depend on."""
