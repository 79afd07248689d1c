"""The vendor's product with a client by other authors: Authlib of PyPI, on requests.

Arguments: the issuer, the client id, the redirect address, and how the client authenticates: `basic` or `post`. The environment has the
client secret, `CLIENT_SECRET`. Prints where the browser is sent to, reads where it came back to, and prints what the product learns; each
is one line of JSON.
"""

import json
import os
import sys

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

issuer, client_id, redirect_uri, method = sys.argv[1:]
metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
assert metadata["issuer"] == issuer

session = OAuth2Session(
    client_id,
    os.environ["CLIENT_SECRET"],
    scope="openid profile email",
    redirect_uri=redirect_uri,
    token_endpoint_auth_method=f"client_secret_{method}",
    code_challenge_method="S256",
)
nonce, verifier = generate_token(), generate_token(48)
address, state = session.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
print(json.dumps({"address": address}), flush=True)

back = json.loads(sys.stdin.readline())["back"]


def redeem():
    return session.fetch_token(
        metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )


token = redeem()
keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
expected = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
params = {"nonce": nonce, "client_id": client_id, "access_token": token["access_token"], "max_age": 3600}
claims = CodeIDToken(decoded.claims, decoded.header, expected, params)
claims.validate(leeway=30)
userinfo = session.get(metadata["userinfo_endpoint"])
userinfo.raise_for_status()

try:
    redeem()
    again = "no failure"
except OAuthError as error:
    again = error.error
bearer = {"Authorization": f"Bearer {token['access_token']}"}
voided = requests.get(metadata["userinfo_endpoint"], headers=bearer, timeout=10).status_code
print(json.dumps({"claims": dict(claims), "userinfo": userinfo.json(), "again": again, "voided": voided}), flush=True)
