"""Pages: templates, languages, static files; no knowledge of what they show."""
