"""Watching the sources: rhythm, rules, alarms, and telling of them; long jobs of the console."""
