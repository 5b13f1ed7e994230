// Types, functions with fetch and zod schemas, for both versions.
import { pluginClient } from "@kubb/plugin-client";
import { pluginOas } from "@kubb/plugin-oas";
import { pluginTs } from "@kubb/plugin-ts";
import { pluginZod } from "@kubb/plugin-zod";

export default ["v1", "v2"].map((version) => ({
    name: version,
    root: ".",
    input: { path: `../../openapi/${version}.json` },
    output: { path: `generated/kubb/${version}`, clean: true, format: false, lint: false },
    plugins: [pluginOas(), pluginTs(), pluginZod(), pluginClient({ client: "fetch" })],
}));
