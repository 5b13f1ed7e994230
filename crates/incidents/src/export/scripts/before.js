(() => {
    // Postman replaces {{…}} in everything it sends. While this request is sent, each name in braces in the captured request
    // is a variable with that name in braces as its value. The collection's own variables have names that the request does
    // not contain.
    const literalNames = %literal_names%;
    const account = %account%;
    // Remove the values that an earlier request left behind if it received no response.
    ["base_url", ...(account ? account.variables : [])]
        .filter((name) => pm.variables.get(name) === "{{" + name + "}}")
        .forEach((name) => pm.variables.unset(name));
    const origin = pm.variables.replaceIn("{{base_url}}").replace(/\/+$/, "");
    const fail = (reason) => {
        pm.test("%title%: " + reason, () => { throw new Error(reason); });
        pm.execution.skipRequest();
    };
    const send = (credential) => {
        pm.variables.set("%origin%", origin);
        if (account) {
            pm.variables.set(account.credential, credential);
        }
        literalNames.forEach((name) => pm.variables.set(name, "{{" + name + "}}"));
    };
    if (!account) {
        send();
        return;
    }
    const isApiKey = account.kind === "api_key";
    const values = account.variables.map((name) => pm.variables.get(name));
    if (!values.every((value) => value)) {
        const replacement = isApiKey ? "the key of the API client" : "the account";
        fail("set " + account.variables.join(" and ") + " to " + replacement + " that replaces " + account.captured);
        return;
    }
    if (isApiKey) {
        send(values[0]);
        return;
    }
    const [email, password] = values;
    if (pm.variables.get(account.credential)) {
        send(pm.variables.get(account.credential));
        return;
    }
    pm.sendRequest({
        url: origin + "/v2/auth/login",
        method: "POST",
        header: { "Content-Type": "application/json" },
        body: { mode: "raw", raw: JSON.stringify({ email, password }) },
    }, (error, response) => {
        if (error || response.code !== 200) {
            fail("login at " + origin + " failed: " + (error ? error.message || error : "status " + response.code));
        } else {
            send(response.json().access_token);
        }
    });
})();
