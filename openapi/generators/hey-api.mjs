// Settings of @hey-api/openapi-ts: -f openapi/generators/hey-api.mjs
export default ["v1", "v2"].map((version) => ({
  input: `./openapi/${version}.json`,
  output: {
    path: `target/clients/hey-api/${version}`,
    // Imports as Node itself resolves them.
    module: { extension: ".js" },
  },
  // The functions, the types, and a client on fetch. Enumerations are types, so a value of tomorrow is no error at run time.
  plugins: ["@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch"],
}));
