// The token is sent by email only. To test a successful reset, set reset_token to its value.
if (pm.environment.get("reset_token") || pm.collectionVariables.get("reset_token")) {
    pm.collectionVariables.set("mailed_token", pm.environment.get("reset_token") || pm.collectionVariables.get("reset_token"));
}
if (!pm.collectionVariables.get("new_password")) {
    pm.collectionVariables.set("new_password", pm.variables.replaceIn("{{$guid}}"));
}
