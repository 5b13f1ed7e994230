// Ends the session of the registration if there is one, so that the run does not need another, rate-limited login.
if (!pm.collectionVariables.get("other_access_token")) {
    pm.collectionVariables.set("other_access_token", pm.collectionVariables.get("access_token"));
}
