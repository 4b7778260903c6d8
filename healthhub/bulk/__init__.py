"""Bulk export and import: jobs that a process of their own does, whatever befalls it."""
