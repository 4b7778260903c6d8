"""Who is who: identity numbers, person links."""

from healthhub.identify.linking import observe
from healthhub.identify.person import acovers, aperson_of, cover, person_of

__all__ = ["acovers", "aperson_of", "cover", "observe", "person_of"]
