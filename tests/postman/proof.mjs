// node proof.mjs ORIGIN BINARY
//
// Causes failures of every operation on a server with APP_ENV=testing, exports them as a Postman collection, and runs it with Newman. Each
// request must fail again with the same status, code and body. Exits with 1 if one does not.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join, resolve as absolute } from "node:path";
import newman from "newman";

import { record } from "./record.mjs";

const [origin, binary] = process.argv.slice(2);
if (!binary) {
    console.error("usage: node proof.mjs ORIGIN BINARY");
    process.exit(2);
}
const DEMO = { email: "demo@example.com", password: "bucketlist-demo" };
const ADMIN = { email: "admin@example.com", password: "bucketlist-admin" };
const MIN_FAILURES = 200;

const { hostname, port } = new URL(origin);
const send = (method, path, headers = {}, body = Buffer.alloc(0)) => new Promise((resolve, reject) => {
    const length = body.length ? { "Content-Length": body.length } : {};
    const request = http.request({ hostname, port, method, path, headers: { ...headers, ...length } }, (response) => {
        const pieces = [];
        response.on("data", (piece) => pieces.push(piece));
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) }));
    });
    request.on("error", reject);
    request.end(body);
});
const principals = new Map();
const JSON_TYPE = { "Content-Type": "application/json", Accept: "application/json" };
const logIn = async (account) => {
    const { status, body } = await send("POST", "/v2/auth/login", JSON_TYPE, Buffer.from(JSON.stringify(account)));
    if (status !== 200) {
        throw new Error(`${account.email} cannot log in: ${status} ${body}`);
    }
    const session = JSON.parse(body);
    principals.set(`Bearer ${session.access_token}`, { user_id: session.user.id, session_id: session.user.id, role: session.user.role });
    return { Authorization: `Bearer ${session.access_token}` };
};
const user = await logIn(DEMO);
const admin = await logIn(ADMIN);

// ---- failures ---------------------------------------------------------------------------------------------------------

const resolved = (document, part) => part?.$ref
    ? part.$ref.slice(2).split("/").reduce((place, name) => place[name], document)
    : part;
const operations = async (version) => {
    const document = JSON.parse((await send("GET", `/openapi/${version}.json`)).body);
    return Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item)
        .filter(([, operation]) => operation.operationId)
        .map(([method, operation]) => {
            const media = Object.entries(resolved(document, operation.requestBody)?.content ?? {})[0];
            const schema = resolved(document, media?.[1].schema);
            const example = media && (media[1].example ?? Object.values(media[1].examples ?? {})[0]?.value ?? schema?.example ?? {});
            return {
                id: operation.operationId,
                method: method.toUpperCase(),
                path: `/${version}${path}`,
                type: media?.[0],
                example,
                isSecured: (operation.security ?? document.security ?? []).length > 0,
                isForAdmins: /^\/(users(\/\{|$)|admin)/.test(path),
            };
        }));
};
const at = (operation, id) => operation.path.replace(/\{[^}]*\}/g, id);

const failures = ({ type, example, isSecured, ...operation }) => {
    const target = at(operation, "1");
    const caller = isSecured ? (operation.isForAdmins ? admin : user) : {};
    const head = { Accept: "application/json", ...caller, ...(type && { "Content-Type": type }) };
    const body = type ? Buffer.from(JSON.stringify(example)) : undefined;
    const all = ["panic", "internal", "query", "unavailable"].map((fault) => [target, { ...head, "X-Fault": fault }, body]);
    // Payloads that tools alter, with a server error.
    if (type) {
        const names = "{{title}} {{$guid}} {{base_url}} {{email}} 😀\u0000";
        all.push([target, { ...head, "X-Fault": "internal" }, Buffer.from(`{"x":1.0,"x":9223372036854775808,"n":"${names}"}\r\n`)]);
        all.push([target, { ...head, "X-Fault": "query" }, Buffer.from([0xff, 0x00, 0x7b])]);
        all.push([target, head, Buffer.from("{\"name\": ")], [target, head, Buffer.from("{\"a\": 1, \"a\": {{a}}}")]);
        all.push([target, head, Buffer.from([0x7b, 0xff])], [target, head, Buffer.from("{\"no_such_field\": \"{{title}}\"}")]);
        all.push([target, { ...head, "Content-Type": "text/plain" }, body]);
    }
    all.push([`${target}?no_such_parameter=%2F+a`, head, body]);
    if (isSecured) {
        all.push([target, { ...head, Authorization: "Bearer no.such.token" }, body], [target, { Accept: "application/json" }, body]);
    }
    if (target !== operation.path) {
        all.push([at(operation, "999999"), head, body], [at(operation, "{{title}}"), head, body]);
    }
    return all.map(([target, headers, body]) => ({ method: operation.method, target, headers, body }));
};

const RECORDED = ["content-type", "retry-after", "www-authenticate"];
const records = [];
let serverErrors = 0;
const names = new Set();
const capture = async (one, operation) => {
    const response = await send(one.method, one.target, one.headers, one.body);
    if (response.status < 400) {
        return;
    }
    const body = response.body.toString("utf8");
    const principal = principals.get(one.headers.Authorization) ?? null;
    const headers = Object.entries(one.headers).map(([name, value]) => [name.toLowerCase(), name === "Authorization" ? "Bearer placeholder" : value]);
    const problem = body && JSON.parse(body);
    records.push(record({
        id: records.length + 1,
        requestId: response.headers["x-request-id"],
        method: one.method,
        target: one.target,
        headers,
        body: one.body,
        principal,
        operation,
        status: response.status,
        code: problem ? (problem.error ?? problem).code : null,
        responseBody: body,
        responseHeaders: Object.entries(response.headers).filter(([name]) => RECORDED.includes(name)),
    }));
    serverErrors += response.status >= 500 ? 1 : 0;
    names.add(`${one.target.split("/")[1]} ${operation}`);
};
for (const operation of [...await operations("v1"), ...await operations("v2")]) {
    for (const one of failures(operation)) {
        await capture(one, operation.id);
    }
}
for (const target of ["/v2/no/such/{{title}}", "/v1/bucketlists/1/nothing?a=%7B%7Bb%7D%7D", "/v2/bucketlists/%2e%2e/x"]) {
    await capture({ method: "GET", target, headers: { ...user, Accept: "application/json" } }, null);
}

// ---- export and replay -----------------------------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), "bucketlist-proof-"));
writeFileSync(join(folder, "incidents.json"), JSON.stringify(records));
const arguments_ = ["incidents", "export", "incidents.json", "--format", "postman", "--out", "incidents.postman_collection.json"];
execFileSync(absolute(binary), arguments_, { cwd: folder });
const collection = JSON.parse(readFileSync(join(folder, "incidents.postman_collection.json"), "utf8"));
const values = Object.entries({ base_url: origin, email: DEMO.email, password: DEMO.password, admin_email: ADMIN.email,
    admin_password: ADMIN.password, title: "REPLACED" }).map(([key, value]) => ({ key, value }));
const run = await new Promise((done, fail) => {
    newman.run({ collection, environment: { values }, workingDir: folder, color: "off" }, (error, summary) => error ? fail(error) : done(summary.run));
});
rmSync(folder, { recursive: true });

const failed = new Set(run.failures.map(({ source }) => source?.id));
const reproduced = records.length - failed.size;
const problems = run.failures.map(({ source, error }) => `${source?.name}: ${error.test ?? error.name}: ${error.message}`);
// Each is compared by status, target and body, and by code if it has one.
const minAssertions = records.reduce((sum, { code }) => sum + (code ? 4 : 3), 0);
if (reproduced < MIN_FAILURES || run.stats.assertions.total < minAssertions) {
    problems.push(`too few requests: ${run.stats.assertions.total} assertions of ${minAssertions}`);
}
console.log(`${problems.length ? "FAILED" : "ok    "} ${records.length} failures of ${names.size} operations, ${serverErrors} of them 5xx: `
    + `${reproduced} fail again with the same status and code, sent byte for byte; ${run.stats.assertions.total} assertions`);
problems.slice(0, 50).forEach((problem) => console.log(`         ${problem}`));
process.exit(problems.length ? 1 : 0);
