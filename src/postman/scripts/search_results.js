pm.test("search: results are found", () => pm.expect(pm.response.json().data).to.not.be.empty);
