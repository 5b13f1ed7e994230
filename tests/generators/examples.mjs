// Parses the examples of the documents with the zod schemas that orval generated: every JSON request body and every JSON
// response with the status 200. Exits with 1 if one is rejected.
import { readFileSync } from "node:fs";

const resolve = (document, value) => value?.$ref ? value.$ref.slice(2).split("/").reduce((part, key) => part[key], document) : value;
const isJson = ([type]) => type.endsWith("json");

let parsed = 0;
const problems = [];
for (const version of ["v1", "v2"]) {
    const document = JSON.parse(readFileSync(new URL(`../../openapi/${version}.json`, import.meta.url), "utf8"));
    const schemas = await import(`./generated/javascript/orval/${version}/zod.js`);
    const example = (content) => {
        const media = Object.entries(content ?? {}).find(isJson)?.[1];
        return media && (media.example ?? resolve(document, media.schema)?.example);
    };
    const check = (name, value) => {
        if (value === undefined) {
            return;
        }
        const schema = schemas[name];
        const result = schema?.safeParse(value);
        parsed += 1;
        if (!result?.success) {
            problems.push(`${version} ${name}: ${result ? result.error.message : "is not generated"}`);
        } else if (schema.safeParse("x").success) {
            problems.push(`${version} ${name}: accepts any value`);
        }
    };
    for (const operation of Object.values(document.paths).flatMap((item) => Object.values(item)).filter((part) => part.operationId)) {
        check(`${operation.operationId}Body`, example(operation.requestBody?.content));
        // orval has no schema for another status of success.
        check(`${operation.operationId}Response`, example(resolve(document, operation.responses["200"])?.content));
    }
}
if (parsed < 60) {
    problems.push(`only ${parsed} examples were parsed`);
}
console.log(`${problems.length ? "FAILED" : "ok    "} zod schemas of orval: ${parsed} examples`);
problems.forEach((problem) => console.log(`         ${problem}`));
process.exit(problems.length ? 1 : 0);
