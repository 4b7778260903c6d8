"""The personal health record: the page that every HIS links to."""

from healthhub.serve.record.routes import router

__all__ = ["router"]
