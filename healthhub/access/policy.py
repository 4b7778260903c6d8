"""The one policy: what each role may do, and for which purposes."""

from __future__ import annotations

from enum import StrEnum

from healthhub.access.actor import Actor, Purpose, Role
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
    },
}
"""Role, action, purposes: what is not written here is refused."""


def permits(actor: Actor, purpose: Purpose, action: Action) -> bool:
    """Whether one of the actor's roles allows the action for this purpose."""
    return any(purpose in GRANTS[role].get(action, ()) for role in actor.roles)


def require(actor: Actor, purpose: Purpose, action: Action) -> None:
    """Raise Forbidden unless the policy allows it."""
    if not permits(actor, purpose, action):
        raise Forbidden(
            f"your roles ({', '.join(sorted(actor.roles))}) do not allow {action.value!r} for "
            f"the purpose {purpose.value}; ask an administrator for a role that does"
        )
