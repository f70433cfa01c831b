"""Pure helpers that content may import: no state, no files, no clock."""
