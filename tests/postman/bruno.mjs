// node bruno.mjs ORIGIN
//
// Imports the committed collection with Bruno's importer and runs it with Bruno's command line against a server with the seeded
// accounts: as a user, twice in a row as an administrator, and with a manipulated response, which the run must report. Exits with 1 on any
// failure.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { postmanToBruno } from "@usebruno/converters";

import { ADMIN } from "./accounts.mjs";
import { FAULTS } from "./faults.mjs";
import { startProxy } from "./proxy.mjs";

// The function that writes a collection in `bru import`, which has no importer for Postman.
const { createCollectionFromBrunoObject } = createRequire(import.meta.url)("@usebruno/cli/src/utils/collection.js");
const program = fileURLToPath(new URL("node_modules/.bin/bru", import.meta.url));
const [origin] = process.argv.slice(2);
if (!origin) {
    console.error("usage: node bruno.mjs ORIGIN");
    process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "bucketlist-bruno-"));
const report = join(folder, "report.json");
const collection = join(folder, "collection");

// Runs the collection, or one folder of it. The sandbox `safe`, Bruno's default, is slow.
const run = (variables, { part, sandbox = "developer" } = {}) => new Promise((resolve, reject) => {
    const values = Object.entries(variables).flatMap(([name, value]) => ["--env-var", `${name}=${value}`]);
    const parts = part ? [part] : [];
    execFile(program, ["run", ...parts, "-r", ...values, "--sandbox", sandbox, "--reporter-json", report], { cwd: collection, maxBuffer: 2 ** 28 }, (error, out) => {
        try {
            const [{ results }] = JSON.parse(readFileSync(report, "utf8"));
            const tests = results.flatMap(({ name, error, ...result }) => [
                ...(error ? [{ name, description: String(error), status: "fail" }] : []),
                ...(result.preRequestTestResults ?? []), ...(result.postResponseTestResults ?? []), ...(result.testResults ?? []),
            ]);
            const failures = tests.filter(({ status }) => status !== "pass").map(({ name, description, error }) => `${name ?? ""} ${description}: ${error ?? ""}`);
            resolve({ requests: results.length, tests: tests.length, failures, isRejected: Boolean(error) });
        } catch (problem) {
            reject(new Error(`${problem.message}\n${out}`));
        }
    });
});

let failed = 0;
const say = (title, what, problems) => {
    console.log(`${problems.length ? "FAILED" : "ok    "} ${title}: ${what}`);
    problems.slice(0, 20).forEach((problem) => console.log(`         ${problem}`));
    failed += problems.length;
};
const green = async (title, variables, options) => {
    const { requests, tests, failures, isRejected } = await run(variables, options);
    const isComplete = requests >= 60 && tests > 10 * requests;
    const problems = [...failures, ...(isComplete ? [] : ["too few requests or tests"]), ...(isRejected && !failures.length ? ["the exit code is not 0"] : [])];
    say(title, `${requests} requests, ${tests} tests`, problems);
};

const { collection: imported, issues } = await postmanToBruno(JSON.parse(readFileSync(new URL("../../postman/collection.json", import.meta.url), "utf8")));
say("import", `${imported.items.length} folders`, issues.map((issue) => JSON.stringify(issue)));
mkdirSync(collection);
await createCollectionFromBrunoObject(imported, collection, { format: "bru" });

await green("as a user, in the safe sandbox", { base_url: origin }, { sandbox: "safe" });
for (const round of ["first", "second"]) {
    await green(`as an administrator, ${round} run`, { base_url: origin, ...ADMIN });
}
const [fault] = FAULTS;
const proxy = await startProxy(origin, fault.change);
const { failures, isRejected } = await run({ base_url: proxy.origin }, { part: fault.folder });
await proxy.close();
const isNamed = failures.some((failure) => fault.expected.test(failure));
say(`detected: ${fault.title}`, failures[0] ?? "", isNamed && isRejected && proxy.changes > 0 ? [] : ["the run did not report it"]);

rmSync(folder, { recursive: true });
process.exitCode = failed ? 1 : 0;
