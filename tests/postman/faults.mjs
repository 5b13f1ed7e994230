// One wrong thing each, and what the run must say about it.

// Breaks the answers of one operation.
export const answerOf = (method, path, change) => (request, answer) => {
    if (request.method !== method || !path.test(request.path)) {
        return false;
    }
    change(answer);
    return true;
};

export const inJson = (change) => (answer) => {
    const body = JSON.parse(answer.body);
    change(body);
    answer.body = JSON.stringify(body);
};

const list = /\/bucketlists\/\d+$/;

export const FAULTS = [
    {
        title: "a wrong status",
        folder: "v1",
        breaks: answerOf("POST", /^\/v1\/bucketlists$/, (answer) => { answer.status = 200; }),
        named: /createBucketlist: the status is 201/,
    },
    {
        title: "a missing field",
        folder: "v1",
        breaks: answerOf("GET", list, inJson((body) => { delete body.items_total; })),
        named: /getBucketlist: the body has its schema: .*items_total/,
    },
    {
        title: "a field of the wrong type, two levels down",
        folder: "v2",
        breaks: answerOf("GET", /\/items$/, inJson((body) => { body.data[0].done = "no"; })),
        named: /listItems: the body has its schema: .*done/,
    },
    {
        title: "a null where there is none",
        folder: "v2",
        breaks: answerOf("GET", /^\/v2\/users\/me$/, inJson((body) => { body.email = null; })),
        named: /getMe: the body has its schema: .*email/,
    },
    {
        title: "a missing header",
        folder: "v2",
        breaks: answerOf("GET", list, (answer) => { delete answer.headers.etag; }),
        named: /getBucketlist: header ETag/,
    },
    {
        title: "a header with the wrong value",
        folder: "v1",
        breaks: answerOf("GET", /\/users\/me$/, (answer) => { answer.headers["cache-control"] = "public, max-age=60"; }),
        named: /getMe: header Cache-Control: .*public, max-age=60/,
    },
    {
        title: "a Location that leads elsewhere",
        folder: "v1",
        breaks: answerOf("POST", /\/items$/, (answer) => { answer.headers.location += "0"; }),
        named: /createItem: header Location says/,
    },
    {
        title: "a missing security header",
        folder: "v2",
        breaks: answerOf("GET", /^\/v2\/search/, (answer) => { delete answer.headers["x-content-type-options"]; }),
        named: /search: header X-Content-Type-Options/,
    },
    {
        title: "a wrong content type",
        folder: "v1",
        breaks: answerOf("GET", /\/bucketlists$/, (answer) => { answer.headers["content-type"] = "text/html"; }),
        named: /listBucketlists: Content-Type is application\/json/,
    },
    {
        title: "somebody else's item",
        folder: "v1",
        breaks: answerOf("GET", /\/items\/\d+$/, inJson((body) => { body.id += 1; })),
        named: /getItem: the answer is about what was asked for/,
    },
    {
        title: "a write that is not kept",
        folder: "v2",
        breaks: answerOf("PATCH", /\/items\/\d+$/, inJson((body) => { body.done = false; })),
        named: /updateItem: the answer has what was sent/,
    },
    {
        title: "a body where there is none",
        folder: "v1",
        breaks: answerOf("DELETE", list, (answer) => { answer.status = 200; answer.body = "{}"; }),
        named: /deleteBucketlist: the status is 204/,
    },
    {
        title: "an error of another code",
        folder: "v1",
        breaks: answerOf("GET", /^\/v1\/users$/, inJson((body) => { body.error.code = "ACCOUNT_DISABLED"; })),
        named: /listUsers: the error is FORBIDDEN/,
    },
    {
        title: "an error that does not name its request",
        folder: "v2",
        breaks: answerOf("GET", /^\/v2\/admin\/users$/, inJson((body) => { body.request_id = "another"; })),
        named: /listUsers: the error is FORBIDDEN and names the request/,
    },
    {
        title: "an operation for administrators that is open to everybody",
        folder: "v1",
        breaks: answerOf("GET", /^\/v1\/users$/, (answer) => { answer.status = 200; }),
        named: /listUsers: the status is 403/,
    },
    {
        title: "nobody can log in",
        folder: "v2",
        breaks: answerOf("POST", /\/auth\/login$/, (answer) => { answer.status = 503; }),
        named: /login: the status is 200/,
    },
];
