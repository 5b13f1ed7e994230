// A server that records the bytes of each request and responds like a BucketList server whose requests all fail.
import net from "node:net";

export const TOKEN = "token-of-the-echo";
const RESPONSES = {
    "GET /version": [200, { version: "0.1.0", contracts: ["v1", "v2"] }],
    "POST /v2/auth/login": [200, { access_token: TOKEN, user: { id: 9 } }],
};
export const FAILURE = JSON.stringify({ code: "INTERNAL_ERROR" });

export const startEcho = () => new Promise((resolve) => {
    const received = [];
    const server = net.createServer((socket) => {
        let data = Buffer.alloc(0);
        socket.on("error", () => {});
        socket.on("data", (piece) => {
            data = Buffer.concat([data, piece]);
            for (;;) {
                const end = data.indexOf("\r\n\r\n");
                if (end < 0) {
                    return;
                }
                const [line, ...lines] = data.subarray(0, end).toString("utf8").split("\r\n");
                const headers = lines.map((one) => [one.slice(0, one.indexOf(":")), one.slice(one.indexOf(":") + 1).trim()]);
                const named = (name) => headers.find(([other]) => other.toLowerCase() === name)?.[1];
                const length = Number(named("content-length") ?? 0);
                if (data.length < end + 4 + length) {
                    return;
                }
                const body = data.subarray(end + 4, end + 4 + length);
                data = data.subarray(end + 4 + length);
                const [method, target] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1).replace(/ HTTP\/1\.1$/, "")];
                const canned = RESPONSES[`${method} ${target}`];
                if (!canned) {
                    received.push({ method, target, headers, body });
                }
                const [status, responseBody] = canned ? [canned[0], JSON.stringify(canned[1])] : [500, FAILURE];
                const close = named("connection") === "close";
                socket.write(`HTTP/1.1 ${status} Response\r\nContent-Type: application/json\r\n`
                    + `Content-Length: ${Buffer.byteLength(responseBody)}\r\n${close ? "Connection: close\r\n" : ""}\r\n`
                    + (method === "HEAD" ? "" : responseBody));
                if (close) {
                    socket.end();
                }
            }
        });
    });
    server.listen(0, "127.0.0.1", () => resolve({
        origin: `http://127.0.0.1:${server.address().port}`,
        take: () => received.splice(0),
        close: () => server.close(),
    }));
});
