"""A teacher that needs neither network nor model: lessons from grammars and fact tables."""
