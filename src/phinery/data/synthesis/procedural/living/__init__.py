"""Fact tables of everyday life, and lessons whose answers follow from them."""
