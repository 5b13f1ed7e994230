// node run.mjs ORIGIN
//
// Runs the committed collection with Newman against a server with the seeded accounts: twice in a row from an empty environment, as an
// administrator, with tokens about to expire, and through a proxy that manipulates one response at a time, which the run must report.
// Exits with 1 on any failure.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import newman from "newman";

import { ADMIN, DEMO } from "./accounts.mjs";
import { playArchive, readArchive } from "./archive.mjs";
import { FAULTS, changeResponse, changeJson } from "./faults.mjs";
import { startProxy } from "./proxy.mjs";

const folder = new URL("../../postman/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
const [origin] = process.argv.slice(2);
if (!origin) {
    console.error("usage: node run.mjs ORIGIN");
    process.exit(2);
}

const run = (options) => new Promise((resolve, reject) => {
    newman.run({ collection: read("collection.json"), color: "off", ...options }, (error, summary) => {
        if (error) {
            reject(error);
        } else {
            resolve({
                assertions: summary.run.stats.assertions.total,
                requests: summary.run.stats.items.total,
                failures: summary.run.failures.map(({ source, error: { name, message, test } }) =>
                    `${source?.name ?? "the collection"}: ${test ?? name}: ${message.replace(/\s+/g, " ")}`),
            });
        }
    });
});

// Runs the command line of Newman and returns its exit code.
const exitCode = (base_url) => new Promise((resolve) => {
    const program = fileURLToPath(new URL("node_modules/.bin/newman", import.meta.url));
    const collection = fileURLToPath(new URL("collection.json", folder));
    spawn(program, ["run", collection, "--folder", "v1", "--env-var", `base_url=${base_url}`], { stdio: "ignore" })
        .on("close", resolve);
});

let failed = 0;
const say = (title, what, problems) => {
    console.log(`${problems.length ? "FAILED" : "ok    "} ${title}: ${what}`);
    problems.forEach((problem) => console.log(`         ${problem}`));
    failed += problems.length;
};

const variables = (values) => Object.entries(values).map(([key, value]) => ({ key, value }));
const green = async (title, options, least = 20) => {
    const { requests, assertions, failures } = await run(options);
    const enough = requests >= least && assertions > 10 * requests;
    say(title, `${requests} requests, ${assertions} assertions`, enough ? failures : [...failures, "too few requests or assertions"]);
};

// The committed environment with the URL of the server.
const local = read("environments/local.json");
const empty = { ...local, values: local.values.map((one) => one.key === "base_url" ? { ...one, value: origin } : one) };
await green("twice in a row, from an empty environment", { environment: empty, iterationCount: 2 });
for (const version of ["v1", "v2"]) {
    await green(`${version} alone`, { envVar: variables({ base_url: origin }), folder: version });
}
await green("twice in a row, with an administrator", { envVar: variables({ base_url: origin, ...ADMIN }), iterationCount: 2 });
await green("one request, with the account of the environment", {
    envVar: variables({ base_url: origin, ...DEMO }),
    folder: "Search bucketlists and items",
}, 1);

// Access tokens expire in one second: each request must refresh them first.
let refreshed = 0;
const shortLived = await startProxy(origin, (request, response) => {
    refreshed += request.path.endsWith("/auth/refresh") && response.status === 200 ? 1 : 0;
    return changeResponse("POST", /\/auth\/(login|refresh)$/, changeJson((body) => { body.expires_in = 1; }))(request, response);
});
await green("with tokens about to expire", { envVar: variables({ base_url: shortLived.origin }) });
await shortLived.close();
say("tokens are refreshed in time", `${refreshed} times`, refreshed > 30 ? [] : ["they are not"]);

const [first] = FAULTS;
const codes = [await exitCode(origin)];
const proxy = await startProxy(origin, first.change);
codes.push(await exitCode(proxy.origin));
await proxy.close();
say("the exit code", `${codes[0]} on success, ${codes[1]} with ${first.title}`,
    codes[0] === 0 && codes[1] > 0 ? [] : ["unexpected exit codes"]);

for (const { title, change, expected, folder: version } of FAULTS) {
    const proxy = await startProxy(origin, change);
    const { failures } = await run({ envVar: variables({ base_url: proxy.origin }), folder: version });
    await proxy.close();
    const isNamed = failures.some((failure) => expected.test(failure));
    const problems = proxy.changes === 0 ? ["no response was manipulated"]
        : failures.length === 0 ? ["the run did not fail"]
        : isNamed ? [] : [`no failure matches ${expected}`, ...failures.slice(0, 5)];
    say(`detected: ${title}`, failures.find((failure) => expected.test(failure)) ?? "", problems);
}

// Last, because it deletes the seeded account.
const entries = readArchive(readFileSync(new URL("collection.har", folder), "utf8"));
const { problems, succeeded } = await playArchive(origin, entries, [DEMO, { email: ADMIN.admin_email, password: ADMIN.admin_password }]);
say("the HTTP archive", `${entries.length} requests, ${succeeded} succeed with the sample data`,
    succeeded * 2 > entries.length ? problems : [...problems, "too few succeed"]);

console.log(failed ? `${failed} problems` : "All checks passed.");
process.exitCode = failed ? 1 : 0;
