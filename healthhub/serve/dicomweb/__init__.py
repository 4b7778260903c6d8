"""Images from the PACS of a source, through the hub's own address and its access door."""

from healthhub.serve.dicomweb.routes import router

__all__ = ["router"]
