"""The operations console: what came, where it stands, and what it made."""

from healthhub.serve.console.routes import router

__all__ = ["router"]
