// node httpyac.mjs ORIGIN
//
// Runs the committed `.http` files from top to bottom with httpYac against a server with the seeded accounts: as a user, as an
// administrator, and with a manipulated response, which the run must report. Exits with 1 on any failure.
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { ADMIN } from "./accounts.mjs";
import { FAULTS } from "./faults.mjs";
import { startProxy } from "./proxy.mjs";

const program = fileURLToPath(new URL("node_modules/.bin/httpyac", import.meta.url));
const [origin] = process.argv.slice(2);
if (!origin) {
    console.error("usage: node httpyac.mjs ORIGIN");
    process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "bucketlist-httpyac-"));

// Runs a file with other values of its variables, as a user would edit them.
const run = (version, variables) => new Promise((resolve, reject) => {
    const text = readFileSync(new URL(`../../postman/${version}.http`, import.meta.url), "utf8");
    const edited = text.replace(/^@(\w+) = .*$/gm, (line, name) => name in variables ? `@${name} = ${variables[name]}` : line);
    writeFileSync(join(folder, `${version}.http`), edited);
    // To a file, because httpYac exits before a pipe has received all of its output.
    const output = join(folder, `${version}.json`);
    const stdio = ["ignore", openSync(output, "w"), "inherit"];
    spawn(program, ["send", `${version}.http`, "--all", "--json"], { cwd: folder, stdio }).on("error", reject).on("close", (code) => {
        const out = readFileSync(output, "utf8");
        try {
            const { requests } = JSON.parse(out);
            const results = requests.flatMap(({ name, testResults = [] }) => testResults.map((result) => ({ name, ...result })));
            const failures = results.filter(({ status }) => status !== "SUCCESS").map(({ name, message, error }) => `${name}: ${message}: ${error?.displayMessage ?? ""}`);
            const untested = requests.filter(({ testResults = [] }) => testResults.length === 0).map(({ name }) => `${name}: has no test`);
            resolve({ requests: requests.length, failures: [...failures, ...untested], isRejected: code !== 0 });
        } catch (problem) {
            reject(new Error(`${problem.message}\n${out.slice(0, 2000)}`));
        }
    });
});

let failed = 0;
const say = (title, what, problems) => {
    console.log(`${problems.length ? "FAILED" : "ok    "} ${title}: ${what}`);
    problems.slice(0, 20).forEach((problem) => console.log(`         ${problem}`));
    failed += problems.length;
};
const declared = (version) => readFileSync(new URL(`../../postman/${version}.http`, import.meta.url), "utf8").match(/^### /gm).length;
for (const version of ["v1", "v2"]) {
    for (const [title, variables] of [["as a user", {}], ["as an administrator", ADMIN]]) {
        const { requests, failures, isRejected } = await run(version, { base_url: origin, ...variables });
        const isComplete = requests === declared(version);
        const problems = [...failures, ...(isComplete ? [] : ["requests are missing"]), ...(isRejected && !failures.length ? ["the exit code is not 0"] : [])];
        say(`${version}.http ${title}`, `${requests} requests`, problems);
    }
}
const [fault] = FAULTS;
const proxy = await startProxy(origin, fault.change);
const { failures, isRejected } = await run(fault.folder, { base_url: proxy.origin });
await proxy.close();
const isNamed = failures.some((failure) => fault.expected.test(failure));
say(`detected: ${fault.title}`, failures[0] ?? "", isNamed && isRejected && proxy.changes > 0 ? [] : ["the run did not report it"]);

rmSync(folder, { recursive: true });
process.exitCode = failed ? 1 : 0;
