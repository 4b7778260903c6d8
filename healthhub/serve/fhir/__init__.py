"""The FHIR R4 service: one file for each interaction, raw bytes out, every error an outcome."""

from __future__ import annotations

from healthhub.serve.fhir import bulk_job, smart, subscription
from healthhub.serve.fhir.bulk_import import bulk_import
from healthhub.serve.fhir.bundle import bundle
from healthhub.serve.fhir.create import create
from healthhub.serve.fhir.delete import delete, delete_conditionally
from healthhub.serve.fhir.export import export
from healthhub.serve.fhir.history import history, history_of_all, history_of_type
from healthhub.serve.fhir.metadata import metadata
from healthhub.serve.fhir.operations import routes
from healthhub.serve.fhir.patch import patch, patch_conditionally
from healthhub.serve.fhir.read import read
from healthhub.serve.fhir.search import search, search_by_post
from healthhub.serve.fhir.unknown import unknown
from healthhub.serve.fhir.update import update, update_conditionally
from healthhub.serve.fhir.vread import vread
from healthhub.serve.fhir.ways import Interaction, Line, Ways, is_ours

LINES: tuple[Line, ...] = (
    ("/metadata", "GET", metadata),
    ("/.well-known/smart-configuration", "GET", smart.configuration),
    ("/$export", "GET", export),
    ("/$export", "POST", export),
    ("/Patient/$export", "GET", export),
    ("/Patient/$export", "POST", export),
    ("/Group/{id}/$export", "GET", export),
    ("/Group/{id}/$export", "POST", export),
    ("/$import", "POST", bulk_import),
    ("/$bulk/{job}", "GET", bulk_job.status),
    ("/$bulk/{job}", "DELETE", bulk_job.end),
    ("/$bulk/{job}/{name}", "GET", bulk_job.file),
    ("/Subscription/$status", "GET", subscription.status),
    ("/Subscription/$status", "POST", subscription.status),
    ("/Subscription/{id}/$status", "GET", subscription.status),
    ("/Subscription/{id}/$status", "POST", subscription.status),
    ("/Subscription/{id}/$events", "GET", subscription.events),
    ("/Subscription/{id}/$events", "POST", subscription.events),
    *routes(),
    ("/_search", "POST", search_by_post),
    ("/{type}/_search", "POST", search_by_post),
    ("/{type}/{id}/_history/{version}", "GET", vread),
    ("/{type}/{id}/_history", "GET", history),
    ("/_history", "GET", history_of_all),
    ("/{type}/_history", "GET", history_of_type),
    ("/{kind}/{id}/{type}/_search", "POST", search_by_post),
    ("/{kind}/{id}/{type}", "GET", search),
    ("/{type}/{id}", "GET", read),
    ("/{type}/{id}", "PUT", update),
    ("/{type}/{id}", "PATCH", patch),
    ("/{type}/{id}", "DELETE", delete),
    ("/{type}", "GET", search),
    ("/{type}", "POST", create),
    ("/{type}", "PUT", update_conditionally),
    ("/{type}", "PATCH", patch_conditionally),
    ("/{type}", "DELETE", delete_conditionally),
    ("", "POST", bundle),
    ("/", "POST", bundle),
    ("", "GET", search),
    ("/", "GET", search),
)
"""Every address of the service; a new interaction is a file and a line."""

__all__ = ["LINES", "Interaction", "Ways", "is_ours", "unknown"]
