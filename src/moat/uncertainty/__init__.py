"""Quantiles, seeds and assumptions: how uncertainty becomes draws."""
