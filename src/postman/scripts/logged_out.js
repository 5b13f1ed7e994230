if (pm.collectionVariables.get("other_access_token") === pm.collectionVariables.get("access_token")) {
    pm.collectionVariables.set("access_token", "");
    pm.collectionVariables.set("refresh_token", "");
}
pm.collectionVariables.set("other_access_token", "");
