pm.collectionVariables.set("access_token", "");
pm.collectionVariables.set("refresh_token", "");
