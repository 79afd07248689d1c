"""The same retrieval as `get-credentials`, as a Lambda function in Python: boto3 and PyJWT, with clients outside the handler and connections
that stay open. The loop at the end speaks the runtime API of Lambda."""

import base64
import hashlib
import http.client
import json
import os
import time

import boto3
import jwt
from botocore.config import Config

CLIENT_ID = os.environ["OIDC_CLIENT_ID"]
ISSUER = os.environ["OIDC_ISSUER"]
PROVIDER_KEY = os.environ["PROVIDER_KEY"]
PUBLIC_ORIGIN = os.environ["PUBLIC_ORIGIN"]
SEALING_KEY = os.environ["SEALING_KEY"]
TABLE_NAME = os.environ["TABLE_NAME"]
ALLOWED = 3
ALGORITHMS = ["RS256", "ES256", "EdDSA"]

CONDITION = (
    "#issue = :issue AND attribute_exists(#sealed) AND #exp > :now AND attribute_not_exists(#signed_in) "
    "AND attribute_not_exists(#changed) AND attribute_not_exists(#ended) AND (contains(#pu, :p0) OR contains(#pu, :p1)) "
    "AND attribute_not_exists(#ret.#rid) AND size(#ret) < :three"
)
NAMES = {
    "#issue": "issue",
    "#sealed": "sealed_password",
    "#exp": "expires_at",
    "#signed_in": "signed_in_at",
    "#changed": "changed_at",
    "#ended": "ended_at",
    "#pu": "portal_users",
    "#ret": "retrievals",
}

config = Config(tcp_keepalive=True, retries={"mode": "standard", "max_attempts": 3})
dynamodb = boto3.client("dynamodb", config=config)
kms = boto3.client("kms", config=config)
keys = {}


class NotSignedIn(Exception):
    """The token is not one of a customer."""


def read_keys():
    """Reads the keys of the provider from the table, once."""
    key = {"PK": {"S": PROVIDER_KEY}, "SK": {"S": "KEYS"}}
    item = dynamodb.get_item(TableName=TABLE_NAME, Key=key, ConsistentRead=True)["Item"]
    for one in json.loads(item["key_set"]["S"])["keys"]:
        keys[one["kid"]] = jwt.PyJWK(one)


def verify(authorization):
    """Returns the claims of the ID token of a request."""
    if not keys:
        read_keys()
    token = authorization.removeprefix("Bearer ")
    try:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        options = {"require": ["exp", "iat", "iss", "aud", "sub"]}
        return jwt.decode(token, key, algorithms=ALGORITHMS, audience=CLIENT_ID, issuer=ISSUER, options=options)
    except (jwt.InvalidTokenError, KeyError) as error:
        raise NotSignedIn from error


def digest(*fields):
    """Returns the first 16 bytes of SHA-256 over the fields, each preceded by its length."""
    sha256 = hashlib.sha256()
    for field in fields:
        field = field.encode()
        sha256.update(len(field).to_bytes(8, "big") + field)
    return sha256.digest()[:16]


def count(subscription, click, claims, person):
    """Counts the retrieval, if the password may be shown. Returns the item as it is then."""
    now = str(int(time.time()))
    return dynamodb.update_item(
        TableName=TABLE_NAME,
        Key={"PK": {"S": f"SUBSCRIPTION#{subscription}"}, "SK": {"S": "CREDENTIAL"}},
        UpdateExpression="SET #ret.#rid = :retrieval",
        ConditionExpression=CONDITION,
        ExpressionAttributeNames={**NAMES, "#rid": click},
        ExpressionAttributeValues={
            ":retrieval": {
                "M": {"at": {"N": now}, "by": {"S": claims["email"]}, "confirmed": {"BOOL": True}, "who": {"B": person}}
            },
            ":issue": {"N": "1"},
            ":now": {"N": now},
            ":three": {"N": str(ALLOWED)},
            ":p0": {"B": person},
            ":p1": {"B": digest("email", "", claims["email"].lower())},
        },
        ReturnValues="ALL_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )["Attributes"]


def unseal(subscription, item):
    """Returns the password of an item."""
    context = {"subscription": subscription, "issue": item["issue"]["N"]}
    sealed = item["sealed_password"]["B"]
    return kms.decrypt(KeyId=SEALING_KEY, CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"].decode()


def as_time(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds)))


def answer(subscription, item, password, person):
    retrievals = sorted((one["M"] for one in item["retrievals"]["M"].values()), key=lambda one: int(one["at"]["N"]))
    return {
        "subscription_id": subscription,
        "user_name": item["user_name"]["S"],
        "password": password,
        "expires_at": as_time(item["expires_at"]["N"]),
        "sign_in_url": f"{PUBLIC_ORIGIN}/administration",
        "retrievals": {
            "allowed": ALLOWED,
            "used": len(retrievals),
            "remaining": ALLOWED - len(retrievals),
            "history": [
                {"at": as_time(one["at"]["N"]), "by": one["by"]["S"], "you": one["who"]["B"] == person}
                for one in retrievals
            ],
        },
        "blank": None,
    }


def reply(status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "multiValueHeaders": {},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "cookies": [],
    }


def handle(event):
    try:
        claims = verify(event["headers"]["authorization"])
        subscription = event["pathParameters"]["subscription_id"]
        person = digest("subject", claims["iss"], claims["sub"])
        click = digest(claims["iss"], claims["sub"], event["headers"]["idempotency-key"])
        click = base64.urlsafe_b64encode(click).decode().rstrip("=")
        item = count(subscription, click, claims, person)
        return reply(200, answer(subscription, item, unseal(subscription, item), person))
    except NotSignedIn:
        return reply(401, {"code": "not-signed-in"})
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return reply(409, {"code": "conflict"})


runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None):
    runtime.request(method, f"/2018-06-01/runtime/invocation/{path}", body)
    received = runtime.getresponse()
    return received, received.read()


while True:
    received, event = call("GET", "next")
    invocation = received.getheader("lambda-runtime-aws-request-id")
    try:
        call("POST", f"{invocation}/response", json.dumps(handle(json.loads(event))).encode())
    except Exception as error:  # Every failure is reported to Lambda.
        failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
        call("POST", f"{invocation}/error", json.dumps(failure).encode())
