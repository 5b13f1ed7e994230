// node record.mjs ORIGIN FILE
//
// Runs the committed collection with Newman through Prism's validating proxies against a server with the seeded accounts, as a user and as
// an administrator. Writes every request and response to FILE, one JSON object per line, for other validators. Exits with 1 if a
// test fails or Prism reports a violation of the document.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, readFileSync } from "node:fs";
import http from "node:http";
import { fileURLToPath } from "node:url";
import newman from "newman";

import { ADMIN, DEMO } from "../postman/accounts.mjs";
import { changeJson, changeResponse } from "../postman/faults.mjs";
import { startProxy } from "../postman/proxy.mjs";

const [origin, file] = process.argv.slice(2);
if (!origin || !file) {
    console.error("usage: node record.mjs ORIGIN FILE");
    process.exit(2);
}
const root = new URL("../../", import.meta.url);
const prism = fileURLToPath(new URL("node_modules/.bin/prism", import.meta.url));

// Starts a proxy for one version and waits until it listens.
const startPrism = (version, port, upstream = origin) => new Promise((resolve, reject) => {
    const document = fileURLToPath(new URL(`openapi/${version}.json`, root));
    const child = spawn(prism, ["proxy", document, `${upstream}/${version}`, "--errors", "--port", String(port), "--host", "127.0.0.1"], { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.on("data", (text) => String(text).includes("listening") && resolve(child));
    child.on("exit", (code) => reject(new Error(`Prism ended with exit code ${code}`)));
});

const freePort = async () => {
    const server = http.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    await new Promise((closed) => { server.close(closed); });
    return port;
};

const ports = { v1: await freePort(), v2: await freePort() };
const children = await Promise.all(Object.entries(ports).map(([version, port]) => startPrism(version, port)));
const records = createWriteStream(file);
let recorded = 0;
const violations = [];

const collect = async (stream) => {
    const pieces = [];
    for await (const piece of stream) {
        pieces.push(piece);
    }
    return Buffer.concat(pieces);
};

// Forwards each request to the proxy of its version and records the exchange.
const front = http.createServer(async (request, response) => {
    const version = request.url.split("/")[1];
    const body = await collect(request);
    const headers = { ...request.headers, "accept-encoding": "identity" };
    // Prism ignores the path of the server in the document.
    const path = request.url.slice(version.length + 1);
    const onward = http.request({ host: "127.0.0.1", port: ports[version], path, method: request.method, headers });
    onward.end(body);
    const [received] = await once(onward, "response");
    const text = (await collect(received)).toString("utf8");
    const isViolation = String(received.headers["content-type"]).includes("problem+json") && text.includes("stoplight.io/prism/errors");
    if (isViolation || "sl-violations" in received.headers) {
        violations.push(`${request.method} ${request.url}: ${received.headers["sl-violations"] ?? text}`);
    }
    recorded += 1;
    records.write(`${JSON.stringify({
        version, method: request.method, url: request.url, request_headers: request.headers, request_body: body.toString("utf8"),
        status: received.statusCode, response_headers: received.headers, response_body: text,
    })}\n`);
    response.writeHead(received.statusCode, received.rawHeaders);
    response.end(text);
}).listen(0, "127.0.0.1");
await once(front, "listening");

const collection = JSON.parse(readFileSync(new URL("postman/collection.json", root), "utf8"));
const run = (variables) => new Promise((resolve, reject) => {
    const envVar = Object.entries(variables).map(([key, value]) => ({ key, value }));
    newman.run({ collection, envVar, color: "off" }, (error, summary) => {
        error ? reject(error) : resolve(summary.run.failures.map(({ source, error: { message, test } }) => `${source?.name}: ${test}: ${message}`));
    });
});
const base_url = `http://127.0.0.1:${front.address().port}`;
const failures = [...await run({ base_url }), ...await run({ base_url, ...ADMIN })];
front.close();
front.closeAllConnections();

// Prism must report a response without a required field.
const fault = await startProxy(origin, changeResponse("POST", /\/auth\/login$/, changeJson((body) => { delete body.expires_in; })));
const port = await freePort();
children.push(await startPrism("v1", port, fault.origin));
const login = await fetch(`http://127.0.0.1:${port}/auth/login`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(DEMO),
});
const isReported = login.status === 500 && (await login.text()).includes("expires_in");
await fault.close();
children.forEach((child) => child.kill());
records.end();
await once(records, "finish");

const problems = [...violations, ...failures, ...(isReported ? [] : ["Prism did not report a missing field"]), ...(recorded >= 120 ? [] : [`only ${recorded} requests were recorded`])];
console.log(`${problems.length ? "FAILED" : "ok    "} Prism: ${recorded} requests, ${violations.length} violations`);
problems.slice(0, 30).forEach((problem) => console.log(`         ${problem.slice(0, 2000)}`));
process.exit(problems.length ? 1 : 0);
