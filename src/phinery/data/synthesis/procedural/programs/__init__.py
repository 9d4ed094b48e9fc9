"""Functions that lessons on Python teach, and how they are taught."""
