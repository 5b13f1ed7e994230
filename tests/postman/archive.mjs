// Sends the requests of the HTTP archive one after the other, as a tool that imports it would: what is a placeholder in it
// is a token, all else goes out as it is written.
import http from "node:http";

// What takes something away is sent last, and the account itself at the very end.
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
    const request = http.request({ hostname, port, method, path: pathname + search, headers: { ...named, ...length } }, (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("end", () => resolve({ status: answer.statusCode, body: Buffer.concat(pieces).toString("utf8") }));
    });
    request.on("error", reject);
    request.end(body);
});

const json = (body) => ({ method: "POST", headers: [{ name: "Content-Type", value: "application/json" }], postData: { text: JSON.stringify(body) } });

// Refusals that say that a request was not understood, rather than that it does not fit what is there.
const MISUNDERSTOOD = ["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED", "NOT_ACCEPTABLE", "UNSUPPORTED_MEDIA_TYPE", "UNKNOWN_FIELD",
    "UNKNOWN_PARAMETER", "VALIDATION_FAILED", "AUTHENTICATION_REQUIRED", "INVALID_TOKEN", "PAYLOAD_TOO_LARGE"];

// What is wrong with the archive, and how many of its requests succeeded as they are.
export const playArchive = async (origin, entries, accounts) => {
    const problems = [];
    let succeeded = 0;
    let guests = 0;
    for (const { request, response, comment } of entries) {
        // Requests before it may have changed the password or deleted the account: then somebody new asks.
        const tokens = [];
        for (const account of accounts) {
            const { status, body } = await send(origin, { ...json(account), url: `${origin}/v2/auth/login` }, "");
            tokens.push(...(status === 200 ? [JSON.parse(body).access_token] : []));
        }
        if (tokens.length < accounts.length) {
            const guest = { email: `archive-${Date.now()}-${guests += 1}@example.com`, password: "harbour-lantern-42", name: "A" };
            tokens.unshift(JSON.parse((await send(origin, { ...json(guest), url: `${origin}/v2/auth/register` }, "")).body).access_token);
        }
        let answer = await send(origin, request, tokens[0]);
        if (answer.status === 403) {
            answer = await send(origin, request, tokens.at(-1));
        }
        const code = answer.status < 400 ? "" : (JSON.parse(answer.body).error ?? JSON.parse(answer.body)).code;
        succeeded += answer.status === response.status ? 1 : 0;
        if (answer.status < 400 ? answer.status !== response.status : answer.status === 400 || answer.status >= 500 || MISUNDERSTOOD.includes(code)) {
            problems.push(`${comment}: ${answer.status} ${code}, documented: ${response.status}`);
        }
    }
    return { problems, succeeded };
};
