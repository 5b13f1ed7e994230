// Creates incident records in the format of `bucketlist incidents`.
import { createHash } from "node:crypto";

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

export const bytes = (buffer) => {
    const text = buffer.toString("utf8");
    const isText = Buffer.from(text, "utf8").equals(buffer);
    return { ...(isText ? { text } : { base64: buffer.toString("base64") }), sha256: sha256(buffer) };
};

export const record = ({ id, method = "POST", target, headers = [], body = "", principal = null, status = 500,
    code = "INTERNAL_ERROR", operation = null, responseBody = "", responseHeaders = [], requestId }) => ({
    format: "bucketlist-incident/1",
    id,
    request_id: requestId ?? `request-${id}`,
    trace_id: null,
    received_at: 1_795_000_000_000_000 + id,
    duration: 1000,
    server_version: "0.1.0",
    contract: "v2",
    operation,
    code,
    fingerprint: `${operation ?? method} ${status} ${code}`,
    principal,
    request: { method, target, headers, body: bytes(Buffer.from(body)), truncated: false },
    response: { status, headers: responseHeaders, body: bytes(Buffer.from(responseBody)), truncated: false },
});
