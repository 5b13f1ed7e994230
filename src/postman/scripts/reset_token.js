// Only a mail has the token. Give reset_token its value to reset the password for real.
if (pm.variables.get("reset_token")) {
    pm.variables.set("mailed_token", pm.variables.get("reset_token"));
}
if (!pm.variables.get("new_password")) {
    pm.collectionVariables.set("new_password", pm.variables.replaceIn("{{$guid}}"));
}
