client.global.set("session_id", response.body.data.find(function (session) { return !session.current; }).id);
