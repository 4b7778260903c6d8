"""All settings: one TOML file and HEALTHHUB_* variables, typed, documented, checked at start."""

from healthhub.settings.alarms import Alarms, Hook, SourceAlarms
from healthhub.settings.loading import load
from healthhub.settings.parts import Bulk, Mllp, Oauth, Pipeline, Subscriptions, Web
from healthhub.settings.sources import Database, Folder, Institution, Pacs, Source
from healthhub.settings.whole import FILE_VARIABLE, PACKAGE_ROOT, PREFIX, Settings

__all__ = [
    "FILE_VARIABLE",
    "PACKAGE_ROOT",
    "PREFIX",
    "Alarms",
    "Bulk",
    "Database",
    "Folder",
    "Hook",
    "Institution",
    "Mllp",
    "Oauth",
    "Pacs",
    "Pipeline",
    "Settings",
    "Source",
    "SourceAlarms",
    "Subscriptions",
    "Web",
    "load",
]
