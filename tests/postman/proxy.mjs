// A proxy that can change responses.
import http from "node:http";

// `change(request, response)` can change status, headers (lower case) and body of the response. It returns whether it changed anything.
export const startProxy = (target, change) => new Promise((resolve) => {
    const { hostname, port } = new URL(target);
    const state = { changes: 0 };
    const server = http.createServer((request, response) => {
        const headers = { ...request.headers, "accept-encoding": "identity" };
        const onward = http.request({ hostname, port, path: request.url, method: request.method, headers }, (received) => {
            const pieces = [];
            received.on("data", (piece) => pieces.push(piece));
            received.on("end", () => {
                const changed = {
                    status: received.statusCode,
                    headers: { ...received.headers },
                    body: Buffer.concat(pieces).toString("utf8"),
                };
                if (change({ method: request.method, path: request.url }, changed)) {
                    state.changes += 1;
                }
                delete changed.headers["content-length"];
                response.writeHead(changed.status, changed.headers);
                response.end(changed.body);
            });
        });
        onward.on("error", (error) => response.destroy(error));
        request.pipe(onward);
    });
    server.listen(0, "127.0.0.1", () => resolve({
        origin: `http://127.0.0.1:${server.address().port}`,
        get changes() {
            return state.changes;
        },
        close: () => new Promise((closed) => {
            server.close(closed);
            server.closeAllConnections();
        }),
    }));
});
