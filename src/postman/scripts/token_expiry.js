pm.collectionVariables.set("token_expires_at", Date.now() + pm.response.json().expires_in * 1000);
