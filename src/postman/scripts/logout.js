// The session of the registration, where there is one, so that the run keeps its own: logins are limited.
if (!pm.variables.get("other_access_token")) {
    pm.collectionVariables.set("other_access_token", pm.variables.get("access_token"));
}
