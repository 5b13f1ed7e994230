// For a single request, outside of a run: use the account of the environment.
if (!pm.variables.get("account_email")) {
    pm.collectionVariables.set("account_email", pm.variables.get("email") || "");
    pm.collectionVariables.set("account_password", pm.variables.get("password") || "");
}
