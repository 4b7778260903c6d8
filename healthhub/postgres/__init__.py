"""PostgreSQL without set-up: find, start, attach, stop."""
