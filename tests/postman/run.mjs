// node run.mjs ORIGIN
//
// Runs the committed collection with Newman against a server with the seeded accounts: twice in a row from an empty
// environment, as an administrator, with tokens that are about to end; then through a proxy that breaks one answer at a
// time, where the run must fail and name what is broken. Exits 1 when anything is not so.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import newman from "newman";

import { playArchive, readArchive } from "./archive.mjs";
import { FAULTS, answerOf, inJson } from "./faults.mjs";
import { startProxy } from "./proxy.mjs";

const folder = new URL("../../postman/", import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
const [origin] = process.argv.slice(2);
if (!origin) {
    console.error("usage: node run.mjs ORIGIN");
    process.exit(2);
}
// Known to everybody: what a development server starts with.
const ADMIN = { admin_email: "admin@example.com", admin_password: "bucketlist-admin" };
const DEMO = { email: "demo@example.com", password: "bucketlist-demo" };

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

// As a person or a pipeline runs it: what counts is how it exits.
const exitCode = (base_url) => new Promise((resolve) => {
    const program = fileURLToPath(new URL("node_modules/.bin/newman", import.meta.url));
    const collection = fileURLToPath(new URL("collection.json", folder));
    spawn(program, ["run", collection, "--folder", "v1", "--env-var", `base_url=${base_url}`], { stdio: "ignore" })
        .on("close", resolve);
});

let broken = 0;
const say = (title, what, problems) => {
    console.log(`${problems.length ? "FAILED" : "ok    "} ${title}: ${what}`);
    problems.forEach((problem) => console.log(`         ${problem}`));
    broken += problems.length;
};

const variables = (values) => Object.entries(values).map(([key, value]) => ({ key, value }));
const green = async (title, options, least = 20) => {
    const { requests, assertions, failures } = await run(options);
    const enough = requests >= least && assertions > 10 * requests;
    say(title, `${requests} requests, ${assertions} assertions`, enough ? failures : [...failures, "too little was run"]);
};

// An environment as committed, apart from the address.
const local = read("environments/local.json");
const empty = { ...local, values: local.values.map((one) => one.key === "base_url" ? { ...one, value: origin } : one) };
await green("twice in a row, from an empty environment", { environment: empty, iterationCount: 2 });
for (const version of ["v1", "v2"]) {
    await green(`${version} alone`, { envVar: variables({ base_url: origin }), folder: version });
}
await green("with an administrator", { envVar: variables({ base_url: origin, ...ADMIN }) });
await green("one request, with the account of the environment", {
    envVar: variables({ base_url: origin, ...DEMO }),
    folder: "Search your bucketlists and items",
}, 1);

// The tokens of each login say that they end in a second: each request must have exchanged them before.
let refreshed = 0;
const impatient = await startProxy(origin, (request, answer) => {
    refreshed += request.path.endsWith("/auth/refresh") && answer.status === 200 ? 1 : 0;
    return answerOf("POST", /\/auth\/(login|refresh)$/, inJson((body) => { body.expires_in = 1; }))(request, answer);
});
await green("with tokens that are about to end", { envVar: variables({ base_url: impatient.origin }) });
await impatient.close();
say("tokens are exchanged in time", `${refreshed} times`, refreshed > 30 ? [] : ["they are not"]);

const [first] = FAULTS;
const codes = [await exitCode(origin)];
const proxy = await startProxy(origin, first.breaks);
codes.push(await exitCode(proxy.origin));
await proxy.close();
say("the exit code", `${codes[0]} when all is well, ${codes[1]} with ${first.title}`,
    codes[0] === 0 && codes[1] > 0 ? [] : ["it is not honest"]);

for (const { title, breaks, named, folder: version } of FAULTS) {
    const proxy = await startProxy(origin, breaks);
    const { failures } = await run({ envVar: variables({ base_url: proxy.origin }), folder: version });
    await proxy.close();
    const isNamed = failures.some((failure) => named.test(failure));
    const problems = proxy.broke === 0 ? ["the fault was never there"]
        : failures.length === 0 ? ["the run is green all the same"]
        : isNamed ? [] : [`no failure matches ${named}`, ...failures.slice(0, 5)];
    say(`seen: ${title}`, failures.find((failure) => named.test(failure)) ?? "", problems);
}

// Last: it is about the seeded account, and deletes it at its end.
const entries = readArchive(readFileSync(new URL("collection.har", folder), "utf8"));
const { problems, succeeded } = await playArchive(origin, entries, [DEMO, { email: ADMIN.admin_email, password: ADMIN.admin_password }]);
say("the HTTP archive", `${entries.length} requests, ${succeeded} succeed on the seeded data`,
    succeeded * 2 > entries.length ? problems : [...problems, "too few succeed"]);

console.log(broken ? `${broken} problems` : "All of it is as it should be.");
process.exitCode = broken ? 1 : 0;
