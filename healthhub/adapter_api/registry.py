"""Finds adapters by name among the installed packages (entry points "healthhub.adapters")."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points
from typing import cast

from healthhub.adapter_api.adapter import Adapter
from healthhub.errors import SettingError

GROUP = "healthhub.adapters"


@lru_cache(maxsize=64)
def find(name: str) -> Adapter:
    """The adapter called ``name``; SettingError names those that are installed."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none; install the package with pip install -e ."
        raise SettingError(
            f"there is no adapter {name!r}; installed are: {known}", expression="adapter"
        )
    return cast(Adapter, found[name].load())
