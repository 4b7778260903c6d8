"""OAuth 2.0 for programs: tokens for signed assertions."""

from healthhub.serve.oauth.routes import router

__all__ = ["router"]
