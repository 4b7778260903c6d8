"""The operations console: what came, where it stands, what it made, and doing it again."""

from fastapi import APIRouter

from healthhub.serve.console import (
    acts,
    alarms,
    gap_acts,
    gaps,
    listing,
    message,
    sources,
    uploads,
)

router = APIRouter()
for part in (sources, alarms, listing, message, acts, uploads, gaps, gap_acts):
    router.include_router(part.router)

__all__ = ["router"]
