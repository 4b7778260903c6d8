"""Profiles: what a StructureDefinition demands beyond R4, and whether a resource meets it.

``check`` reads the differential of a profile and of the profiles it is based on (its snapshot
where it has no differential). Judged are: cardinalities, types of choices, targets of
references, fixed and pattern values, maxLength, required bindings whose codes are known,
constraints (FHIRPath), extensions and data types with profiles, and slices told apart by value,
pattern, type or existence. What cannot be judged is said as an issue of its own, never passed
over. http://hl7.org/fhir/R4/profiling.html
"""

from healthhub.model.profiles.check import Known, check
from healthhub.model.profiles.tree import Rule, read

__all__ = ["Known", "Rule", "check", "read"]
