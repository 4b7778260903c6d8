"""Launches: from a hospital's system to the record page of one patient."""

from healthhub.serve.launch.routes import router

__all__ = ["router"]
