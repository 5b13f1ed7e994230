for (const name of ["access_token", "refresh_token", "other_access_token", "account_email", "account_password", "new_password"]) {
    pm.collectionVariables.set(name, "");
}
