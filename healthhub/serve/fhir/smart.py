"""[base]/.well-known/smart-configuration: how a program gets a token; open, as it must be.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from healthhub.access.grants import CLIENT_CREDENTIALS, INTROSPECT_PATH, REVOKE_PATH, TOKEN_PATH
from healthhub.access.keys import ALGORITHMS
from healthhub.serve.fhir.asked import base_of

_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


async def configuration(request: Request) -> Response:
    """What this server offers of SMART App Launch, made from what it does."""
    hub = _hub(base_of(request))
    body = {
        "token_endpoint": f"{hub}{TOKEN_PATH}",
        "introspection_endpoint": f"{hub}{INTROSPECT_PATH}",
        "revocation_endpoint": f"{hub}{REVOKE_PATH}",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "grant_types_supported": [CLIENT_CREDENTIALS],
        "scopes_supported": ["system/*.rs", "system/*.cruds"],
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    }
    return JSONResponse(body, headers={"cache-control": "public, max-age=300"})


def _hub(base: str) -> str:
    """The hub's address, from that of the FHIR service."""
    return base.removesuffix("/fhir")


def security(base: str) -> dict[str, Any]:
    """The same in the CapabilityStatement."""
    paths = (("token", TOKEN_PATH), ("introspect", INTROSPECT_PATH), ("revoke", REVOKE_PATH))
    uris = [{"url": name, "valueUri": f"{_hub(base)}{path}"} for name, path in paths]
    return {
        "extension": [{"url": _OAUTH_URIS, "extension": uris}],
        "service": [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}]}],
        "description": "Authorization: Bearer TOKEN, either a registered client's own or one of "
        "the token endpoint, for an assertion signed with the client's key (SMART Backend "
        "Services, see .well-known/smart-configuration); the header Purpose-Of-Use names the "
        "purpose (v3 PurposeOfUse)",
    }
