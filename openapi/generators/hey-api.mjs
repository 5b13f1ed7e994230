// Settings of @hey-api/openapi-ts: -f openapi/generators/hey-api.mjs
export default ["v1", "v2"].map((version) => ({
  input: `./openapi/${version}.json`,
  output: {
    path: `target/clients/hey-api/${version}`,
    // Import paths as Node resolves them.
    module: { extension: ".js" },
  },
  // Functions, types, and a client based on fetch. Enums are types, so that unknown values cause no error at run time.
  plugins: ["@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch"],
}));
