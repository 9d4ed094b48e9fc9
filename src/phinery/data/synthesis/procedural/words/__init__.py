"""Words, their forms and meanings, and lessons on them."""
