#!/usr/bin/env node
// Signs one request of the Action API, sends it and prints the answer: Node 18 or later, nothing else.
//   PANOREC_KEY_SECRET=… node action.mjs http://127.0.0.1:8080 KEY_ID '{"Action": "List"}'
import { createHash, createHmac } from "node:crypto";

const JSON_TYPE = "application/json";

function signedHeaders(keyId, secret, body) {
  const date = new Date().toUTCString();
  // The digits of the MD5, not its bytes, are encoded.
  const md5 = Buffer.from(createHash("md5").update(body).digest("hex")).toString("base64");
  // Signed headers, then method, Accept, Content-Type, Content-MD5 and path; a base URL's own path is not signed.
  const toSign = [`x-date: ${date}`, "POST", JSON_TYPE, JSON_TYPE, md5, "/record"].join("\n");
  const signature = createHmac("sha256", secret).update(toSign).digest("base64");
  return {
    Accept: JSON_TYPE,
    "Content-Type": JSON_TYPE,
    "Content-MD5": md5,
    "x-date": date,
    Authorization: `hmac id="${keyId}", algorithm="hmac-sha256", headers="x-date", signature="${signature}"`,
  };
}

const [url, keyId, body] = process.argv.slice(2);
const headers = signedHeaders(keyId, process.env.PANOREC_KEY_SECRET, body);
const answer = await fetch(`${url.replace(/\/$/, "")}/record`, {
  method: "POST",
  headers,
  body,
  signal: AbortSignal.timeout(30_000),
});
console.log(await answer.text());
if (!answer.ok) {
  console.error(`HTTP ${answer.status}`);
  process.exitCode = 1;
}
