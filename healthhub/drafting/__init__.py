"""Drafts of mappings: what samples seem to say, each guess with its reason, for a person to judge."""
