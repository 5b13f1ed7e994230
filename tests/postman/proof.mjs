// node proof.mjs ORIGIN BINARY
//
// Makes every operation of a server under APP_ENV=testing fail in many ways, exports the failures as a Postman collection, and
// sends it with Newman: each must fail again with the same status and code, and the body sent must be the one that was sent
// first. Exits 1 when one does not.
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
const LEAST = 200;

const { hostname, port } = new URL(origin);
const send = (method, path, headers = {}, body = Buffer.alloc(0)) => new Promise((resolve, reject) => {
    const length = body.length ? { "Content-Length": body.length } : {};
    const request = http.request({ hostname, port, method, path, headers: { ...headers, ...length } }, (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) }));
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
    const who = isSecured ? (operation.isForAdmins ? admin : user) : {};
    const head = { Accept: "application/json", ...who, ...(type && { "Content-Type": type }) };
    const body = type ? Buffer.from(JSON.stringify(example)) : undefined;
    const all = ["panic", "internal", "query", "unavailable"].map((fault) => [target, { ...head, "X-Fault": fault }, body]);
    // Payloads that tools alter, failing on our side.
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
let fives = 0;
const names = new Set();
const keep = async (one, operation) => {
    const answer = await send(one.method, one.target, one.headers, one.body);
    if (answer.status < 400) {
        return;
    }
    const body = answer.body.toString("utf8");
    const principal = principals.get(one.headers.Authorization) ?? null;
    const headers = Object.entries(one.headers).map(([name, value]) => [name.toLowerCase(), name === "Authorization" ? "Bearer stand-in" : value]);
    const problem = body && JSON.parse(body);
    records.push(record({
        id: records.length + 1,
        requestId: answer.headers["x-request-id"],
        method: one.method,
        target: one.target,
        headers,
        body: one.body,
        principal,
        operation,
        status: answer.status,
        code: problem ? (problem.error ?? problem).code : null,
        answer: body,
        answerHeaders: Object.entries(answer.headers).filter(([name]) => RECORDED.includes(name)),
    }));
    fives += answer.status >= 500 ? 1 : 0;
    names.add(`${one.target.split("/")[1]} ${operation}`);
};
for (const operation of [...await operations("v1"), ...await operations("v2")]) {
    for (const one of failures(operation)) {
        await keep(one, operation.id);
    }
}
for (const target of ["/v2/no/such/{{title}}", "/v1/bucketlists/1/nothing?a=%7B%7Bb%7D%7D", "/v2/bucketlists/%2e%2e/x"]) {
    await keep({ method: "GET", target, headers: { ...user, Accept: "application/json" } }, null);
}

// ---- exported, and sent again -----------------------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), "bucketlist-proof-"));
writeFileSync(join(folder, "incidents.json"), JSON.stringify(records));
const arguments_ = ["incidents", "export", "incidents.json", "--as", "postman", "--out", "incidents.postman_collection.json"];
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
// Status, target and body of each, and the code of those that have one.
const least = records.reduce((sum, { code }) => sum + (code ? 4 : 3), 0);
if (reproduced < LEAST || run.stats.assertions.total < least) {
    problems.push(`too little was tried: ${run.stats.assertions.total} assertions of ${least}`);
}
console.log(`${problems.length ? "FAILED" : "ok    "} ${records.length} failures of ${names.size} operations, ${fives} of them 5xx: `
    + `${reproduced} fail again with the same status and code, and the same octets were sent; ${run.stats.assertions.total} assertions`);
problems.slice(0, 50).forEach((problem) => console.log(`         ${problem}`));
process.exit(problems.length ? 1 : 0);
