const other = pm.response.json().data.find((session) => !session.current);
pm.test("listSessions: there is another session, that of the registration", () => pm.expect(other).to.exist);
pm.collectionVariables.set("session_id", other.id);
