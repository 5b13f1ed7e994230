// node fidelity.mjs BINARY
//
// Exports incidents with payloads that tools are known to alter, sends them with Newman, curl and `bucketlist incidents replay` to a server
// that records the requests, and compares them byte for byte. Exits with 1 if one differs.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import newman from "newman";

import { FAILURE, TOKEN, startEcho } from "./echo.mjs";
import { record } from "./record.mjs";

const [binary] = process.argv.slice(2).map((path) => resolve(path));
if (!binary) {
    console.error("usage: node fidelity.mjs BINARY");
    process.exit(2);
}

const PLACEHOLDER = "placeholder-of-a-captured-token";
const USER = { user_id: 42, session_id: 3, role: "user" };
const ADMIN = { user_id: 43, session_id: 4, role: "admin" };

const BODIES = {
    "variables, dynamic ones, braces": "{\"a\":\"{{title}} {{$guid}} {{$randomInt}} {{access_token}} {{{x}}} {{{{title}}}} {{ title }} {{}} {{ob}} }}{{\"}",
    "variables of the collection": "{{base_url}} {{email}} {{password}} {{admin_email}} {{admin_password}} {{bl_token}} {{bl_origin}}",
    "names with line breaks": "{{a\nb}} {{a\r\nb}} {{'\"`\\}} {{%shadows%}} {{a.b}} {{vault:x}} {{🪣}}",
    "numbers that lose precision": "{\"a\": 9223372036854775808, \"b\": 1.0, \"c\": 1e400, \"d\": -0}",
    "duplicate keys": "{\"a\": 1, \"a\": 2}",
    "CRLF and spaces at the end": "{\r\n\t\"a\": 1\r\n}\r\n \t ",
    "a byte order mark": "\ufeff{\"a\": 1}",
    "NUL": "a\0b",
    "emoji and combining marks": "{\"n\": \"😀 e\u0301 \u2028 \ufffd\"}",
    "escapes": "{\"n\": \"\\u0000 \\ud83d \\/ \\x\"}",
    "comments": "{\"a\": 1 /* not JSON */ // nor this\n}",
    "shell syntax": "'; echo $HOME `id` $(id) \\' \"!\" #\n",
    "curl file syntax": "@/etc/passwd",
    "names that variables cannot have": "{{constructor}} {{__proto__}} {{toString}}",
    "not UTF-8": Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0x7b, 0xc3]),
    "a truncated character": Buffer.from("{\"n\": \"é\"}").subarray(0, 8),
    "only spaces": " \n ",
    "empty": "",
    "long": `{"a": "${"{{title}}é".repeat(20_000)}"}`,
};
const TARGETS = [
    "/v2/x?a=a%2Fb+c&b=%7B%7Btitle%7D%7D&c=%2f",
    "/v2/../x/./y//z/?",
    "/v2/a%2Fb/%2e%2e/%zz",
    "/v2/{{title}}/{{$guid}}?q={{access_token}}&base={{base_url}}",
    "/v2/:id/:x?a&b=&&=1&a=b=c&a",
    "/v2/x?a=1?b=2&@=1@2:3",
    "/v2/'x'/\"y\"|z^`$(id)?a\\b[1]={1,2}",
    "//v2//x",
    "/",
];
const LIMITED = ["/v2/a\\b", "/v2/é?é=ü", "/v2/{{constructor}}"];

const JSON_TYPE = ["content-type", "application/json"];
const common = { code: "INTERNAL_ERROR", responseBody: FAILURE, responseHeaders: [JSON_TYPE] };
const authorization = ["authorization", `Bearer ${PLACEHOLDER}`];
let id = 0;
const incident = (more) => record({ id: ++id, ...common, ...more });
const RECORDS = [
    ...Object.values(BODIES).map((body, index) => incident({
        target: "/v2/x",
        body,
        headers: [["x-first", "{{title}}"], authorization, ["if-none-match", "\"{{$guid}}\""], JSON_TYPE, ["x-last", "'\"$HOME"]],
        principal: index % 2 ? USER : ADMIN,
    })),
    ...TARGETS.map((target, index) => incident({ target, method: ["GET", "DELETE", "POST"][index % 3], headers: [authorization], principal: USER })),
    incident({ target: "/v2/x", method: "GET", body: "{\"a\": \"a body of a GET\"}", headers: [JSON_TYPE] }),
    incident({ target: "/v2/x", method: "PATCH", body: "{}", headers: [["content-type", "application/merge-patch+json"]] }),
    incident({ target: "/v2/x", method: "PUT", body: "x" }),
    incident({ target: "/v2/x", method: "OPTIONS" }),
    incident({ target: "/v2/x", method: "PROPFIND", body: "<x/>" }),
    // Without a known caller, the placeholder is sent as the rejected token.
    incident({ target: "/v2/users/me", method: "GET", headers: [authorization, ["accept", "*/*"], ["user-agent", "{{title}}/1"]] }),
];
const LIMITED_RECORDS = LIMITED.map((target) => incident({ target, method: "GET" }));

const folder = mkdtempSync(join(tmpdir(), "bucketlist-fidelity-"));
const run = (program, args, env = {}) => new Promise((done) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    const texts = ["", ""];
    child.stdout.on("data", (text) => { texts[0] += text; });
    child.stderr.on("data", (text) => { texts[1] += text; });
    child.on("close", (code) => done({ code, out: texts[0], err: texts[1] }));
});

let problems = 0;
const problem = (text) => {
    problems += 1;
    console.log(`         ${text}`);
};
const shown = (value) => JSON.stringify(Buffer.isBuffer(value) ? value.toString("latin1") : value).slice(0, 300);

// The request as it must arrive.
const expectedOf = (one) => {
    const { method, target, headers, body } = one.request;
    const token = headers.map(([name, value]) => name === "authorization" && one.principal ? [name, `Bearer ${TOKEN}`] : [name, value]);
    return { method, target, headers: token, body: body.base64 === undefined ? Buffer.from(body.text) : Buffer.from(body.base64, "base64") };
};
const CONNECTION_HEADERS = ["host", "connection", "content-length"];
const compare = (how, records, seen, { ordered = true } = {}) => {
    const before = problems;
    if (seen.length !== records.length) {
        problem(`${seen.length} of ${records.length} requests arrived`);
    }
    records.forEach((one, index) => {
        const [want, got] = [expectedOf(one), seen[index] ?? { headers: [], body: Buffer.alloc(0) }];
        const headers = got.headers.filter(([name]) => !CONNECTION_HEADERS.includes(name.toLowerCase()))
            .map(([name, value]) => [name.toLowerCase(), value]);
        const order = (list) => ordered ? list : [...list].sort();
        const pairs = [["method", want.method, got.method], ["target", want.target, got.target],
            ["headers", JSON.stringify(order(want.headers)), JSON.stringify(order(headers))]];
        pairs.filter(([, a, b]) => a !== b).forEach(([what, a, b]) => problem(`incident ${one.id}, ${what}: ${shown(a)} became ${shown(b)}`));
        if (!want.body.equals(got.body)) {
            problem(`incident ${one.id}, body: ${shown(want.body)} became ${shown(got.body)}`);
        }
    });
    console.log(`${problems === before ? "ok    " : "FAILED"} ${how}: ${records.length} requests, byte for byte`);
};

const write = (name, value) => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(value));
    return path;
};
const exported = async (source, target, name) => {
    const path = join(folder, name);
    const { code, err } = await run(binary, ["incidents", "export", source, "--format", target, "--out", path]);
    if (code !== 0) {
        throw new Error(err);
    }
    return { text: readFileSync(path, "utf8"), err };
};
const echo = await startEcho();
// Values that must not appear in any request.
const VARIABLES = { base_url: `${echo.origin}/`, email: "a@example.com", password: "{{title}}-password",
    admin_email: "b@example.com", admin_password: "p", title: "REPLACED", access_token: "SECRET", x: "REPLACED", $guid: "REPLACED" };
const newmanRun = (collection) => new Promise((done, fail) => {
    const values = Object.entries(VARIABLES).map(([key, value]) => ({ key, value }));
    newman.run({ collection, environment: { values }, workingDir: folder, color: "off" }, (error, summary) => error ? fail(error) : done(summary.run));
});
const failuresOf = (run) => run.failures.map(({ source, error }) => `${source?.name}: ${error.test ?? error.name}: ${error.message}`);

try {
    const all = write("all.json", RECORDS);

    const { text, err } = await exported(all, "postman", "all.postman_collection.json");
    if (err || text.includes(PLACEHOLDER) === false) {
        problem(`the export says: ${err || "the placeholder of the request without a caller is missing"}`);
    }
    let result = await newmanRun(JSON.parse(text));
    compare("Newman, one run", RECORDS, echo.take());
    failuresOf(result).forEach(problem);
    if (result.stats.assertions.total < 4 * RECORDS.length) {
        problem(`only ${result.stats.assertions.total} assertions`);
    }
    // Exported separately, each has other variables.
    for (const one of RECORDS) {
        const { text } = await exported(write("one.json", one), "postman", "one.postman_collection.json");
        failuresOf(await newmanRun(JSON.parse(text))).forEach(problem);
    }
    compare("Newman, one by one", RECORDS, echo.take());

    // A request that was altered after the export, or whose file is missing, fails.
    const altered = JSON.parse(text);
    altered.item[0].request.body.raw += " ";
    altered.item[1].request.url += "x";
    const missing = altered.item.findIndex(({ request }) => request.body?.mode === "file");
    altered.item[missing].request.body.file.src = "missing.body";
    result = await newmanRun(altered);
    const messages = failuresOf(result).map((failure) => failure.split(": ").slice(3, 4).join());
    const expected = ["the body is the captured one", "the target is the captured one", "the body was sent from the file"];
    console.log(`${expected.every((one) => messages.includes(one)) && messages.length === 3 ? "ok    " : "FAILED"} an altered collection fails: ${messages.join("; ")}`);
    problems += expected.every((one) => messages.includes(one)) && messages.length === 3 ? 0 : 1;
    echo.take();

    // Another status and code is not a reproduction.
    const other = incident({ target: "/v2/x", method: "GET", status: 503, code: "SERVICE_UNAVAILABLE" });
    result = await newmanRun(JSON.parse((await exported(write("one.json", other), "postman", "one.postman_collection.json")).text));
    const differs = failuresOf(result).map((failure) => failure.split(": ").slice(3, 4).join()).join("; ");
    const isSeen = differs === "the status is 503; the error code is SERVICE_UNAVAILABLE";
    console.log(`${isSeen ? "ok    " : "FAILED"} another response fails: ${differs}`);
    problems += isSeen ? 0 : 1;
    echo.take();

    // Without an account nothing is sent, and the run fails.
    const account = VARIABLES.password;
    VARIABLES.password = "";
    const mine = RECORDS.find(({ principal }) => principal === USER);
    result = await newmanRun(JSON.parse((await exported(write("one.json", mine), "postman", "one.postman_collection.json")).text));
    VARIABLES.password = account;
    const sent = echo.take().length;
    const why = failuresOf(result).join();
    const stops = sent === 0 && why.includes("set email and password to the account that replaces user 42");
    console.log(`${stops ? "ok    " : "FAILED"} without an account nothing is sent: ${why}`);
    problems += stops ? 0 : 1;

    for (const one of RECORDS) {
        const { text } = await exported(write("one.json", one), "curl", "one.sh");
        if (one.principal && text.includes(PLACEHOLDER)) {
            problem(`incident ${one.id}: the placeholder of a token is in the command`);
        }
        const { code, err } = await run("sh", [join(folder, "one.sh")], { BASE_URL: echo.origin, TOKEN });
        if (code !== 0) {
            problem(`incident ${one.id}, curl: ${err}`);
        }
    }
    // curl sends some headers in another order.
    compare("curl", RECORDS, echo.take(), { ordered: false });

    const replayed = await run(binary, ["incidents", "replay", all, "--against", echo.origin, "--user", "a@example.com",
        "--admin", "b@example.com", "--format", "json"], { REPLAY_PASSWORD: "p", REPLAY_ADMIN_PASSWORD: "p" });
    compare("bucketlist incidents replay", RECORDS, echo.take());
    if (replayed.code !== 0 || JSON.parse(replayed.out).as_expected !== RECORDS.length) {
        problem(`the replay exits ${replayed.code}: ${replayed.err}${replayed.out.slice(0, 500)}`);
    }

    const limited = await exported(write("limited.json", LIMITED_RECORDS), "postman", "limited.postman_collection.json");
    const named = LIMITED_RECORDS.every((one) => limited.err.includes(`not exact: incident ${one.id}: Postman `));
    console.log(`${named ? "ok    " : "FAILED"} limits of Postman are reported: ${limited.err.trim().split("\n").length} messages`);
    problems += named ? 0 : 1;
    await run(binary, ["incidents", "replay", write("limited.json", LIMITED_RECORDS), "--against", echo.origin]);
    compare("bucketlist incidents replay, where Postman cannot", LIMITED_RECORDS, echo.take());
} finally {
    echo.close();
    rmSync(folder, { recursive: true });
}
console.log(problems ? `${problems} problems` : "All requests were sent as captured.");
process.exit(problems ? 1 : 0);
