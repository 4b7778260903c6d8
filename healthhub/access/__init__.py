"""The only door for reads: actor, purpose, audit."""

from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.door import Door
from healthhub.access.policy import Action

__all__ = ["Action", "Actor", "Door", "Purpose", "Role"]
