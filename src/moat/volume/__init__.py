"""How much video a platform receives and holds: the log-Gaussian model, its simulation and attribution."""
