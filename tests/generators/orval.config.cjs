// Types and functions with fetch, and zod schemas, for both versions.
const versions = ["v1", "v2"];
module.exports = Object.fromEntries(versions.flatMap((version) => {
    const input = `../../openapi/${version}.json`;
    const target = `generated/orval/${version}`;
    return [
        [version, { input, output: { target: `${target}/client.ts`, schemas: `${target}/model`, client: "fetch", mode: "single" } }],
        [`${version}-zod`, { input, output: { target: `${target}/zod.ts`, client: "zod", mode: "single" } }],
    ];
}));
