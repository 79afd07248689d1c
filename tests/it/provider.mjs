// An OpenID Provider by other authors: `oidc-provider` of npm, with its own forms for development.
//
// Arguments: the directory that contains `oidc-provider`, the origin of the application, where the address is (`in-id-token`, or `on-request`
// for the provider's default), and the client secret of the application if it has one.
// Prints the issuer as one line of JSON, and exits when its standard input ends. Accepts any password, and has not confirmed
// `unconfirmed@…`.

import { once } from "node:events";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [modules, origin, address, secret] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const claims = (login) => ({ sub: login, email: login, email_verified: !login.startsWith("unconfirmed@") });

const provider = new Provider(issuer, {
  clients: [{
    client_id: "firstkey",
    redirect_uris: [`${origin}/auth/callback`],
    post_logout_redirect_uris: [`${origin}/`],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    ...(secret
      ? { client_secret: secret, token_endpoint_auth_method: "client_secret_post" }
      : { token_endpoint_auth_method: "none" }),
  }],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  // Without conforming, the claims are in the ID token. Otherwise only the userinfo endpoint has them, which the product does not call, and
  // ID tokens for which the parameter `claims` asks for them.
  conformIdTokenClaims: address === "on-request",
  features: { claimsParameter: { enabled: address === "on-request" } },
  findAccount: (_context, login) => ({ accountId: login, claims: () => claims(login) }),
  cookies: { keys: ["signs the cookies of one test"] },
});

server.on("request", provider.callback());
console.log(JSON.stringify({ issuer }));
process.stdin.resume().on("end", () => process.exit());
