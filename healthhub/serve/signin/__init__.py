"""Sign-in and sign-out of people."""

from healthhub.serve.signin.routes import router

__all__ = ["router"]
