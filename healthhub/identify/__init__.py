"""Who is who: identity numbers, person links."""

from healthhub.identify.linking import observe
from healthhub.identify.person import aperson_of, cover, covered, person_of

__all__ = ["aperson_of", "cover", "covered", "observe", "person_of"]
