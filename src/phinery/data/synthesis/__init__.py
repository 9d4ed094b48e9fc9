"""Textbooks that nobody wrote: by a teacher model, or by grammars and fact tables alone."""
