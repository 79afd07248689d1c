// An OpenID Provider that is not ours, npm's `oidc-provider`, with the forms that it brings for development.
//
// Arguments: where `oidc-provider` is, the origin of the application, and its secret where it has one. Prints the issuer as one line
// of JSON, and ends with its standard input. Any password is right; `unconfirmed@…` is an address that it has not confirmed.

import { once } from "node:events";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [modules, origin, secret] = process.argv.slice(2);
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
    ...(secret ? { client_secret: secret } : { token_endpoint_auth_method: "none" }),
  }],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  // Otherwise they are at the userinfo endpoint alone, which nobody asks here.
  conformIdTokenClaims: false,
  findAccount: (_context, login) => ({ accountId: login, claims: () => claims(login) }),
  cookies: { keys: ["signs the cookies of one test"] },
});

server.on("request", provider.callback());
console.log(JSON.stringify({ issuer }));
process.stdin.resume().on("end", () => process.exit());
