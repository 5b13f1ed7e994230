// A proxy that hands everything on as it is, but for what a fault changes.
import http from "node:http";

// `breaks(request, answer)` may change the answer's status, headers (lower case) and body, and returns whether it did.
export const startProxy = (target, breaks) => new Promise((resolve) => {
    const { hostname, port } = new URL(target);
    const state = { broke: 0 };
    const server = http.createServer((request, response) => {
        const headers = { ...request.headers, "accept-encoding": "identity" };
        const onward = http.request({ hostname, port, path: request.url, method: request.method, headers }, (received) => {
            const pieces = [];
            received.on("data", (piece) => pieces.push(piece));
            received.on("end", () => {
                const answer = {
                    status: received.statusCode,
                    headers: { ...received.headers },
                    body: Buffer.concat(pieces).toString("utf8"),
                };
                if (breaks({ method: request.method, path: request.url }, answer)) {
                    state.broke += 1;
                }
                delete answer.headers["content-length"];
                response.writeHead(answer.status, answer.headers);
                response.end(answer.body);
            });
        });
        onward.on("error", (error) => response.destroy(error));
        request.pipe(onward);
    });
    server.listen(0, "127.0.0.1", () => resolve({
        origin: `http://127.0.0.1:${server.address().port}`,
        get broke() {
            return state.broke;
        },
        close: () => new Promise((closed) => {
            server.close(closed);
            server.closeAllConnections();
        }),
    }));
});
