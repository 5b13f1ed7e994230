// Manipulations of one response each, and the failure that the run must report.

// Changes the responses of one operation.
export const changeResponse = (method, path, change) => (request, response) => {
    if (request.method !== method || !path.test(request.path)) {
        return false;
    }
    change(response);
    return true;
};

export const changeJson = (change) => (response) => {
    const body = JSON.parse(response.body);
    change(body);
    response.body = JSON.stringify(body);
};

const list = /\/bucketlists\/\d+$/;

export const FAULTS = [
    {
        title: "a wrong status",
        folder: "v1",
        change: changeResponse("POST", /^\/v1\/bucketlists$/, (response) => { response.status = 200; }),
        expected: /createBucketlist: the status is 201/,
    },
    {
        title: "a missing field",
        folder: "v1",
        change: changeResponse("GET", list, changeJson((body) => { delete body.items_total; })),
        expected: /getBucketlist: the body matches its schema: .*items_total/,
    },
    {
        title: "a field of the wrong type, two levels down",
        folder: "v2",
        change: changeResponse("GET", /\/items$/, changeJson((body) => { body.data[0].done = "no"; })),
        expected: /listItems: the body matches its schema: .*done/,
    },
    {
        title: "an unexpected null",
        folder: "v2",
        change: changeResponse("GET", /^\/v2\/users\/me$/, changeJson((body) => { body.email = null; })),
        expected: /getMe: the body matches its schema: .*email/,
    },
    {
        title: "a missing header",
        folder: "v2",
        change: changeResponse("GET", list, (response) => { delete response.headers.etag; }),
        expected: /getBucketlist: header ETag/,
    },
    {
        title: "a header with the wrong value",
        folder: "v1",
        change: changeResponse("GET", /\/users\/me$/, (response) => { response.headers["cache-control"] = "public, max-age=60"; }),
        expected: /getMe: header Cache-Control: .*public, max-age=60/,
    },
    {
        title: "a Location of another resource",
        folder: "v1",
        change: changeResponse("POST", /\/items$/, (response) => { response.headers.location += "0"; }),
        expected: /createItem: header Location is/,
    },
    {
        title: "a missing security header",
        folder: "v2",
        change: changeResponse("GET", /^\/v2\/search/, (response) => { delete response.headers["x-content-type-options"]; }),
        expected: /search: header X-Content-Type-Options/,
    },
    {
        title: "a wrong content type",
        folder: "v1",
        change: changeResponse("GET", /\/bucketlists$/, (response) => { response.headers["content-type"] = "text/html"; }),
        expected: /listBucketlists: Content-Type is application\/json/,
    },
    {
        title: "another item",
        folder: "v1",
        change: changeResponse("GET", /\/items\/\d+$/, changeJson((body) => { body.id += 1; })),
        expected: /getItem: the ID matches the path/,
    },
    {
        title: "a write that is not stored",
        folder: "v2",
        change: changeResponse("PATCH", /\/items\/\d+$/, changeJson((body) => { body.done = false; })),
        expected: /updateItem: the response contains the sent values/,
    },
    {
        title: "an unexpected body",
        folder: "v1",
        change: changeResponse("DELETE", list, (response) => { response.status = 200; response.body = "{}"; }),
        expected: /deleteBucketlist: the status is 204/,
    },
    {
        title: "an error with another code",
        folder: "v1",
        change: changeResponse("GET", /^\/v1\/users$/, changeJson((body) => { body.error.code = "ACCOUNT_DISABLED"; })),
        expected: /listUsers: the error code is FORBIDDEN/,
    },
    {
        title: "an error without its request ID",
        folder: "v2",
        change: changeResponse("GET", /^\/v2\/admin\/users$/, changeJson((body) => { body.request_id = "another"; })),
        expected: /listUsers: the error code is FORBIDDEN and the request ID matches/,
    },
    {
        title: "an admin operation open to users",
        folder: "v1",
        change: changeResponse("GET", /^\/v1\/users$/, (response) => { response.status = 200; }),
        expected: /listUsers: the status is 403/,
    },
    {
        title: "a failed login",
        folder: "v2",
        change: changeResponse("POST", /\/auth\/login$/, (response) => { response.status = 503; }),
        expected: /login: the status is 200/,
    },
];
