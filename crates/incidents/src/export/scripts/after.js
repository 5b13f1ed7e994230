(() => {
    const origin = pm.variables.get("%origin%");
    ["%origin%", ...%literal_names%].forEach((name) => pm.variables.unset(name));
    const test = (name, check) => pm.test("%title%: " + name, check);
    const body = pm.request.body;
    if (%file%) {
        test("the body was sent from the file", () => {
            pm.expect(body.file.value, "%file_name% is not in the working directory").to.not.equal(null);
        });
    } else {
        test("the body is the captured one", () => {
            const sent = (body && body.raw) || "";
            pm.expect(require("crypto-js").SHA256(sent).toString()).to.equal("%sha256%");
        });
    }
    test("the target is the captured one", () => {
        pm.expect(pm.request.url.toString()).to.equal(origin + %target%);
    });
    test("the status is %status%", () => pm.response.to.have.status(%status%));
    const code = %code%;
    if (code) {
        test("the error code is " + code, () => {
            const problem = pm.response.json();
            pm.expect(problem.error ? problem.error.code : problem.code).to.equal(code);
        });
    }
})();
