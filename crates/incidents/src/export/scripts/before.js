(() => {
    // Postman replaces {{…}} in everything it sends. While this request is sent, each name in braces in the captured request
    // is a variable with that name in braces as its value. The collection's own variables have names that the request does
    // not contain.
    const literalNames = %literal_names%;
    const account = %account%;
    // Remove the values that an earlier request left behind if it received no response.
    ["base_url", ...(account ? [account.email, account.password] : [])]
        .filter((name) => pm.variables.get(name) === "{{" + name + "}}")
        .forEach((name) => pm.variables.unset(name));
    const origin = pm.variables.replaceIn("{{base_url}}").replace(/\/+$/, "");
    const fail = (reason) => {
        pm.test("%title%: " + reason, () => { throw new Error(reason); });
        pm.execution.skipRequest();
    };
    const send = (token) => {
        pm.variables.set("%origin%", origin);
        if (account) {
            pm.variables.set(account.token, token);
        }
        literalNames.forEach((name) => pm.variables.set(name, "{{" + name + "}}"));
    };
    if (!account) {
        send();
        return;
    }
    const email = pm.variables.get(account.email);
    const password = pm.variables.get(account.password);
    if (!email || !password) {
        fail("set " + account.email + " and " + account.password + " to the account that replaces " + account.captured);
        return;
    }
    if (pm.variables.get(account.token)) {
        send(pm.variables.get(account.token));
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
