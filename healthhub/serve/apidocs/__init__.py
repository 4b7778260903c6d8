"""What can be called that is neither page nor FHIR: its OpenAPI description, and a page of it."""

from healthhub.serve.apidocs.routes import router

__all__ = ["router"]
