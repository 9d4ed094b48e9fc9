"""Passages made from simulated events, so that the answers to their questions are computed."""
