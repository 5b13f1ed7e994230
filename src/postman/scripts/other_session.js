const other = pm.response.json().data.find((session) => !session.current);
pm.test("listSessions: the session of the registration is listed", () => pm.expect(other).to.exist);
pm.collectionVariables.set("session_id", other.id);
