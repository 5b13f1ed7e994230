// For a single request, outside of a run: use the account of the environment.
if (!pm.collectionVariables.get("account_email")) {
    pm.collectionVariables.set("account_email", pm.environment.get("email") || pm.collectionVariables.get("email") || "");
    pm.collectionVariables.set("account_password", pm.environment.get("password") || pm.collectionVariables.get("password") || "");
}
