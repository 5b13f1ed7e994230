pm.test("search: the created bucketlist or item is found", () => pm.expect(pm.response.json().data).to.not.be.empty);
