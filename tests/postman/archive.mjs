// Sends the requests of the HTTP archive in sequence, like a tool that imports it. The placeholder is replaced by a token; everything else
// is sent unchanged.
import http from "node:http";

// Deletions are sent last, and the deletion of the account at the end.
const rank = ({ request: { method, url } }) => /\/users\/me$/.test(url) && method === "DELETE" ? 3
    : /\/auth\//.test(url) && method !== "GET" ? 2
    : method === "DELETE" ? 1 : 0;

export const readArchive = (text) => JSON.parse(text).log.entries.sort((a, b) => rank(a) - rank(b));

const send = (origin, { method, url, headers, postData }, token) => new Promise((resolve, reject) => {
    const { pathname, search } = new URL(url);
    const { hostname, port } = new URL(origin);
    const named = Object.fromEntries(headers.map(({ name, value }) => [name, value.replace("{{access_token}}", token)]));
    const body = postData?.text;
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const request = http.request({ hostname, port, method, path: pathname + search, headers: { ...named, ...length } }, (response) => {
        const pieces = [];
        response.on("data", (piece) => pieces.push(piece));
        response.on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(pieces).toString("utf8") }));
    });
    request.on("error", reject);
    request.end(body);
});

const json = (body) => ({ method: "POST", headers: [{ name: "Content-Type", value: "application/json" }], postData: { text: JSON.stringify(body) } });

// Error codes of malformed requests, as opposed to requests that conflict with existing data.
const MALFORMED = ["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED", "NOT_ACCEPTABLE", "UNSUPPORTED_MEDIA_TYPE", "UNKNOWN_FIELD",
    "UNKNOWN_PARAMETER", "VALIDATION_FAILED", "AUTHENTICATION_REQUIRED", "INVALID_TOKEN", "PAYLOAD_TOO_LARGE"];

// Its example names a server of REPLAY_TARGETS, and the tested server has none.
const needsConfiguration = (comment, code) => comment.includes("replayIncident") && code === "VALIDATION_FAILED";

// Returns the problems of the archive and the number of requests that succeeded.
export const playArchive = async (origin, entries, accounts) => {
    const problems = [];
    let succeeded = 0;
    let guests = 0;
    for (const { request, response, comment } of entries) {
        // Earlier requests may have changed the password or deleted the account: then register a new one.
        const tokens = [];
        for (const account of accounts) {
            const { status, body } = await send(origin, { ...json(account), url: `${origin}/v2/auth/login` }, "");
            tokens.push(...(status === 200 ? [JSON.parse(body).access_token] : []));
        }
        if (tokens.length < accounts.length) {
            const guest = { email: `archive-${Date.now()}-${guests += 1}@example.com`, password: "harbour-lantern-42", name: "A" };
            tokens.unshift(JSON.parse((await send(origin, { ...json(guest), url: `${origin}/v2/auth/register` }, "")).body).access_token);
        }
        let actual = await send(origin, request, tokens[0]);
        if (actual.status === 403) {
            actual = await send(origin, request, tokens.at(-1));
        }
        const code = actual.status < 400 ? "" : (JSON.parse(actual.body).error ?? JSON.parse(actual.body)).code;
        succeeded += actual.status === response.status ? 1 : 0;
        if (needsConfiguration(comment, code)) {
            continue;
        }
        if (actual.status < 400 ? actual.status !== response.status : actual.status === 400 || actual.status >= 500 || MALFORMED.includes(code)) {
            problems.push(`${comment}: ${actual.status} ${code}, documented: ${response.status}`);
        }
    }
    return { problems, succeeded };
};
