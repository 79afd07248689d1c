// The same retrieval as `get-credentials`, as a Lambda function in Node.js: the AWS SDK v3 and jose, with clients outside the handler and
// connections that stay open. The loop at the end speaks the runtime API of Lambda.

import { createHash } from "node:crypto";
import { Agent, request } from "node:http";

import { ConditionalCheckFailedException, DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { DecryptCommand, KMSClient } from "@aws-sdk/client-kms";
import { createLocalJWKSet, errors, jwtVerify } from "jose";

const { AWS_LAMBDA_RUNTIME_API, OIDC_CLIENT_ID, OIDC_ISSUER, PROVIDER_KEY, PUBLIC_ORIGIN, SEALING_KEY, TABLE_NAME } = process.env;
const ALLOWED = 3;
const ALGORITHMS = ["RS256", "ES256", "EdDSA"];

const CONDITION =
  "#issue = :issue AND attribute_exists(#sealed) AND #exp > :now AND attribute_not_exists(#signed_in) " +
  "AND attribute_not_exists(#changed) AND attribute_not_exists(#ended) AND (contains(#pu, :p0) OR contains(#pu, :p1)) " +
  "AND attribute_not_exists(#ret.#rid) AND size(#ret) < :three";
const NAMES = {
  "#issue": "issue", "#sealed": "sealed_password", "#exp": "expires_at", "#signed_in": "signed_in_at", "#changed": "changed_at",
  "#ended": "ended_at", "#pu": "portal_users", "#ret": "retrievals",
};

const dynamodb = new DynamoDBClient({});
const kms = new KMSClient({});
let keys;

/** Reads the keys of the provider from the table, once. */
async function readKeys() {
  const { Item } = await dynamodb.send(new GetItemCommand({
    TableName: TABLE_NAME,
    Key: { PK: { S: PROVIDER_KEY }, SK: { S: "KEYS" } },
    ConsistentRead: true,
  }));
  return createLocalJWKSet(JSON.parse(Item.key_set.S));
}

/** Returns the claims of the ID token of a request. */
async function verify(authorization) {
  keys ??= await readKeys();
  const { payload } = await jwtVerify(authorization.slice("Bearer ".length), keys, {
    algorithms: ALGORITHMS,
    audience: OIDC_CLIENT_ID,
    issuer: OIDC_ISSUER,
    requiredClaims: ["exp", "iat", "sub"],
  });
  return payload;
}

/** Returns the first 16 bytes of SHA-256 over the fields, each preceded by its length. */
function digest(...fields) {
  const hash = createHash("sha256");
  for (const field of fields) {
    const bytes = Buffer.from(field);
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    hash.update(length).update(bytes);
  }
  return hash.digest().subarray(0, 16);
}

/** Counts the retrieval, if the password may be shown. Returns the item as it is then. */
async function count(subscription, click, claims, person) {
  const now = String(Math.floor(Date.now() / 1000));
  const email = claims.email.toLowerCase();
  const { Attributes } = await dynamodb.send(new UpdateItemCommand({
    TableName: TABLE_NAME,
    Key: { PK: { S: `SUBSCRIPTION#${subscription}` }, SK: { S: "CREDENTIAL" } },
    UpdateExpression: "SET #ret.#rid = :retrieval",
    ConditionExpression: CONDITION,
    ExpressionAttributeNames: { ...NAMES, "#rid": click },
    ExpressionAttributeValues: {
      ":retrieval": { M: { at: { N: now }, by: { S: claims.email }, confirmed: { BOOL: true }, who: { B: person } } },
      ":issue": { N: "1" },
      ":now": { N: now },
      ":three": { N: String(ALLOWED) },
      ":p0": { B: person },
      ":p1": { B: digest("email", "", email) },
    },
    ReturnValues: "ALL_NEW",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  }));
  return Attributes;
}

/** Returns the password of an item. */
async function unseal(subscription, item) {
  const { Plaintext } = await kms.send(new DecryptCommand({
    KeyId: SEALING_KEY,
    CiphertextBlob: item.sealed_password.B,
    EncryptionContext: { subscription, issue: item.issue.N },
  }));
  return Buffer.from(Plaintext).toString("utf8");
}

const time = (seconds) => new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");

function answer(subscription, item, password, person) {
  const retrievals = Object.values(item.retrievals.M).map(({ M: one }) => ({
    at: Number(one.at.N), by: one.by.S, you: person.equals(one.who.B),
  }));
  retrievals.sort((one, other) => one.at - other.at);
  return {
    subscription_id: subscription,
    user_name: item.user_name.S,
    password,
    expires_at: time(item.expires_at.N),
    sign_in_url: `${PUBLIC_ORIGIN}/administration`,
    retrievals: {
      allowed: ALLOWED,
      used: retrievals.length,
      remaining: ALLOWED - retrievals.length,
      history: retrievals.map((one) => ({ ...one, at: time(one.at) })),
    },
    blank: null,
  };
}

function reply(statusCode, body) {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { statusCode, headers, multiValueHeaders: {}, body: JSON.stringify(body), isBase64Encoded: false, cookies: [] };
}

async function handle(event) {
  try {
    const claims = await verify(event.headers.authorization);
    const subscription = event.pathParameters.subscription_id;
    const person = digest("subject", claims.iss, claims.sub);
    const click = digest(claims.iss, claims.sub, event.headers["idempotency-key"]).toString("base64url");
    const item = await count(subscription, click, claims, person);
    return reply(200, answer(subscription, item, await unseal(subscription, item), person));
  } catch (error) {
    if (error instanceof errors.JOSEError) return reply(401, { code: "not-signed-in" });
    if (error instanceof ConditionalCheckFailedException) return reply(409, { code: "conflict" });
    throw error;
  }
}

const [host, port] = AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true, noDelay: true });

function call(method, path, body = "") {
  return new Promise((resolve, reject) => {
    const headers = { "content-length": Buffer.byteLength(body) };
    const sent = request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, headers }, (received) => {
      let text = "";
      received.setEncoding("utf8").on("data", (part) => { text += part; });
      received.on("end", () => resolve({ headers: received.headers, text }));
    });
    sent.on("error", reject).end(body);
  });
}

for (;;) {
  const { headers, text } = await call("GET", "next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    await call("POST", `${id}/response`, JSON.stringify(await handle(JSON.parse(text))));
  } catch (error) {
    await call("POST", `${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
