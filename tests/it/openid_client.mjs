// The vendor's product with a client by other authors: `openid-client` of npm, with every check that it offers.
//
// Arguments: the directory that contains `openid-client`, the issuer, the client id, the redirect address, and how the client authenticates:
// `basic` or `post`. The environment has the client secret, `CLIENT_SECRET`.
// Prints where the browser is sent to, reads where it came back to, and prints what the product learns; each is one line of JSON.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, issuer, clientId, redirectUri, method] = process.argv.slice(2);
const client = await import(pathToFileURL(`${modules}/openid-client/build/index.js`));
const say = (line) => console.log(JSON.stringify(line));
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const authentication = { basic: client.ClientSecretBasic, post: client.ClientSecretPost }[method];
const config = await client.discovery(
  new URL(issuer),
  clientId,
  undefined,
  authentication(process.env.CLIENT_SECRET),
  // The issuer of a test has no TLS. Without the second, a token that comes from the issuer itself is not verified.
  { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
);

const [state, nonce, verifier] = [client.randomState(), client.randomNonce(), client.randomPKCECodeVerifier()];
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: "openid profile email",
  state,
  nonce,
  max_age: "3600",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
});
say({ address: address.href });

const back = new URL(JSON.parse((await input.next()).value).back);
const checks = {
  expectedState: state,
  expectedNonce: nonce,
  pkceCodeVerifier: verifier,
  maxAge: 3600,
  idTokenExpected: true,
};
const tokens = await client.authorizationCodeGrant(config, back, checks);
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);

const failure = (call, read) => call.then(() => "no failure", read);
const again = await failure(client.authorizationCodeGrant(config, back, checks), ({ error }) => error);
const voided = await failure(client.fetchUserInfo(config, tokens.access_token, claims.sub), ({ status }) => status);
say({ claims, userinfo, again, voided });
