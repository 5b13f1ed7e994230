// Names are unique, so that the request can be sent again.
pm.collectionVariables.set("timestamp", Date.now());
