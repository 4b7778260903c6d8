"""The one policy: what each role may do, and for which purposes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.scopes import ALL, LAUNCH
from healthhub.errors import Forbidden


class Action(StrEnum):
    """What can be done through the door. Every route names one of these."""

    READ = "read"
    SEARCH = "search"
    WRITE = "write"
    EXPORT = "export"
    """Take out many patients' data as files."""
    IMPORT = "import"
    """Bring in files of resources."""
    SUBSCRIBE = "subscribe"
    """Be sent what changes, and see what was sent."""
    MESSAGE = "message"
    """See a raw message and how it was converted."""
    OPERATE = "operate"
    """See and steer the machinery: states, findings, replays."""
    MAP = "map"
    """Say what a source's codes stand for, and take it back."""
    AUDIT = "audit"
    """See who did what."""
    LAUNCH = "launch"
    """Bring a doctor to a patient's record."""
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"


_CARE = frozenset({Purpose.TREAT, Purpose.PATRQT})
_RUN = frozenset({Purpose.HOPERAT, Purpose.HSYSADMIN})

GRANTS: dict[Role, dict[Action, frozenset[Purpose]]] = {
    Role.CLINICIAN: {
        Action.READ: _CARE,
        Action.SEARCH: _CARE,
        Action.MESSAGE: _CARE,
    },
    Role.ADMIN: {
        Action.OPERATE: _RUN,
        Action.MAP: _RUN,
        Action.MESSAGE: _RUN,
    },
    Role.AUDITOR: {
        Action.AUDIT: frozenset({Purpose.HOPERAT}),
    },
    Role.SYSTEM: {
        Action.READ: frozenset(Purpose),
        Action.SEARCH: frozenset(Purpose),
        Action.WRITE: frozenset(Purpose),
        Action.EXPORT: frozenset(Purpose),
        Action.IMPORT: frozenset(Purpose),
        Action.SUBSCRIBE: frozenset(Purpose),
        Action.MESSAGE: frozenset(Purpose),
        Action.LAUNCH: _CARE,
    },
    Role.LAUNCHED: {
        Action.READ: _CARE,
    },
}
"""Role, action, purposes: what is not written here is refused."""

Of = tuple[str, str]
"""A type of resources (``*``: all) and letters of scopes that are done to it."""
NEEDS: dict[Action, str] = {
    Action.READ: "r",
    Action.SEARCH: "s",
    Action.WRITE: "cud",
    Action.EXPORT: "rs",
    Action.IMPORT: "crud",
    Action.SUBSCRIBE: "rs",
    Action.MESSAGE: "r",
}
"""The letters that an action takes; one that is not here is within nobody's scopes."""


def permits(actor: Actor, purpose: Purpose, action: Action, *of: Of) -> bool:
    """Whether one of the actor's roles allows the action for this purpose, and its scopes, if it
    has any, allow it of these types; without ``of``: of all types."""
    granted = any(purpose in GRANTS[role].get(action, ()) for role in actor.roles)
    return granted and _within_scopes(actor, action, of)


def require(actor: Actor, purpose: Purpose, action: Action, *of: Of) -> None:
    """Raise Forbidden unless the policy allows it."""
    if permits(actor, purpose, action, *of):
        return
    if actor.scopes is not None and permits(replace(actor, scopes=None), purpose, action):
        held = " ".join(actor.scopes.words())
        raise Forbidden(
            f"the scopes of this token ({held}) do not reach so far; {action.value!r} needs "
            f"{' '.join(_told(action, of)) or 'a token without scopes'}"
        )
    raise Forbidden(
        f"your roles ({', '.join(sorted(actor.roles))}) do not allow {action.value!r} for "
        f"the purpose {purpose.value}; ask an administrator for a role that does"
    )


def require_at_hand(actor: Actor, params: Sequence[tuple[str, str]]) -> None:
    """Raise Forbidden when criteria look through references into types that the actor's scopes
    may not reach: what is found would tell what may not be seen."""
    if actor.scopes is None or actor.scopes.allow(ALL, "s"):
        return
    for name, _ in params:
        if "." in name or name.startswith("_has:") or name.partition(":")[0] == "_list":
            raise Forbidden(
                "a search through references (chains, _has, _list) needs the scope system/*.s",
                expression=name[:64],
            )


def shows(actor: Actor, type_: str) -> bool:
    """Whether resources of the type are shown to the actor where a result holds them."""
    scopes = actor.scopes
    return scopes is None or scopes.allow(type_, "r") or scopes.allow(type_, "s")


def _within_scopes(actor: Actor, action: Action, of: Sequence[Of]) -> bool:
    scopes = actor.scopes
    if scopes is None:
        return True
    if action is Action.LAUNCH:
        return scopes.launch
    if action not in NEEDS:
        return False
    if action is Action.WRITE and any(type_ == "Subscription" for type_, _ in of):
        of = (*of, (ALL, NEEDS[Action.SUBSCRIBE]))
    return all(scopes.allow(type_, letters) for type_, letters in of or [(ALL, NEEDS[action])])


def _told(action: Action, of: Sequence[Of]) -> list[str]:
    if action is Action.LAUNCH:
        return [LAUNCH]
    needed = of or [(ALL, NEEDS[action])] if action in NEEDS else []
    return [f"system/{type_}.{letters}" for type_, letters in needed]
