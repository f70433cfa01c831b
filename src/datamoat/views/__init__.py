"""What readers see, read from the published file alone."""
