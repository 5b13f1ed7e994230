// The token is sent by email only. To test a successful reset, set reset_token to its value.
if (pm.variables.get("reset_token")) {
    pm.variables.set("mailed_token", pm.variables.get("reset_token"));
}
if (!pm.variables.get("new_password")) {
    pm.collectionVariables.set("new_password", pm.variables.replaceIn("{{$guid}}"));
}
