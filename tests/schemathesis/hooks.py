"""What the fuzzer has to be told to get past the first 404: who calls, and what there is.

Nothing here hides an operation or an answer. Where a generated case is valid (`positive`), some of its cases get a real id or
a real token in place of the generated one; those of the stateful phase have theirs from links, and invalid cases stay as
they are. Operations that end a login or an account have one of their own to end.
"""

import collections
import itertools
import json
import os
import pathlib
import re
import threading
import time
import urllib.error
import urllib.request

import schemathesis

BASE = os.environ["BASE_URL"]
PASSWORD = "harbour-lantern-42"
ADMIN = {"email": "admin@example.com", "password": "bucketlist-admin"}
DEMO = {"email": "demo@example.com", "password": "bucketlist-demo"}

# These end the session that calls, or the account.
ENDS_ITS_LOGIN = {"logout", "changePassword", "deleteMe", "updateMe", "endSessions", "endSession"}

_numbers = itertools.count(1)
# How many valid cases each operation has had in each phase: so the first ones of every phase meet what exists.
_cases = collections.defaultdict(lambda: itertools.count(1))
# The addresses that `register` was called with.
_taken = set()
_lock = threading.Lock()


def ask(method, path, token=None, body=None):
    """Calls v2 and gives the answer's body."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}/v2{path}", content, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def register():
    """A fresh account with a session."""
    email = f"fuzz-{next(_numbers)}-{os.getpid()}@example.com"
    return ask("POST", "/auth/register", body={"email": email, "password": PASSWORD, "name": "Fuzz"})


class Logins:
    """The sessions that operations share; a session that has ended is replaced."""

    def __init__(self):
        self.kept = {}

    def get(self, credentials):
        key = credentials["email"]
        with _lock:
            token = self.kept.get(key)
            if token is None or not self.works(token):
                token = ask("POST", "/auth/login", body=credentials)["access_token"]
                self.kept[key] = token
            return token

    @staticmethod
    def works(token):
        try:
            ask("GET", "/users/me", token)
        except urllib.error.HTTPError:
            return False
        return True


logins = Logins()


def operation_id(case):
    return case.operation.definition.raw.get("operationId")


def is_for_admins(path):
    return path.startswith("/admin") or (path.startswith("/users") and not path.startswith("/users/me"))


@schemathesis.auth(cache_by_key=None, refresh_interval=None)
class Caller:
    """Logs in as whoever the operation is for."""

    def get(self, case, context):
        name = operation_id(case)
        if name in ENDS_ITS_LOGIN:
            return register()["access_token"]
        return logins.get(ADMIN if is_for_admins(case.operation.path) else DEMO)

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode.value == "positive"


def is_stateful(case):
    return case.meta is not None and case.meta.phase.name.value == "stateful"


def own_list(token):
    """A bucketlist with an item, made just now."""
    made = ask("POST", "/bucketlists", token, {"name": f"List {next(_numbers)}"})
    item = ask("POST", f"/bucketlists/{made['id']}/items", token, {"name": "An item"})
    return made["id"], item["id"]


def finished_export(token):
    """An export whose file is there."""
    made = ask("POST", "/exports", token, {})
    for _ in range(100):
        if ask("GET", f"/exports/{made['id']}", token)["state"] == "finished":
            return made["id"]
        time.sleep(0.05)
    raise TimeoutError("the export was not made")


def existing(case):
    """Puts what exists into the path."""
    wanted = case.path_parameters or {}
    if "export_id" in wanted:
        account = register()
        wanted["export_id"] = finished_export(account["access_token"])
        case.headers["Authorization"] = f"Bearer {account['access_token']}"
    if "bucketlist_id" in wanted:
        wanted["bucketlist_id"], item = own_list(logins.get(DEMO))
        if "item_id" in wanted:
            wanted["item_id"] = item
    if "user_id" in wanted:
        # Somebody whom nobody misses, be they demoted, disabled or deleted.
        wanted["user_id"] = register()["user"]["id"]
    if "session_id" in wanted:
        account = register()
        wanted["session_id"] = ask("GET", "/auth/sessions", account["access_token"])["data"][0]["id"]
        case.headers["Authorization"] = f"Bearer {account['access_token']}"


TOKEN = re.compile(r'"token": "([^"]+)"')
ENTITY_TAGS = re.compile(r'[ \t,]*(\*|(W/)?"[!#-~\x80-\xff]*"([ \t]*,[ \t,]*(W/)?"[!#-~\x80-\xff]*"){0,99})[ \t]*(,[ \t,]*)?')


def spare_the_seeded(case):
    """The accounts that everybody logs in as (1 and 2) must outlive the run: somebody else is changed and deleted."""
    wanted = case.path_parameters or {}
    if operation_id(case) in ("updateUser", "deleteUser") and wanted.get("user_id") in (1, 2, "1", "2"):
        wanted["user_id"] = register()["user"]["id"]


def beyond_generation(case):
    """What a schema cannot say, or the generator not read from it, is made right in every valid case.

    A cursor is signed by the server, so an invented one is 400. The pattern of entity tags is in the document, but the
    generator does not take it in all phases.
    """
    for header in ("If-Match", "If-None-Match"):
        value = (case.headers or {}).get(header)
        if value is not None and not ENTITY_TAGS.fullmatch(value):
            case.headers[header] = '"aN0thEr5tate"'
    if (case.query or {}).get("cursor"):
        case.query["cursor"] = ""


def reset_token():
    """The token of a password reset, from the mail. The server writes mails into its folder."""
    email = register()["user"]["email"]
    ask("POST", "/auth/password-reset", body={"email": email})
    for _ in range(100):
        for mail in pathlib.Path(os.environ["SERVER_FOLDER"]).glob("mail/*"):
            text = mail.read_text(encoding="utf-8", errors="replace")
            if email in text and (found := TOKEN.search(text)):
                return found[1]
        time.sleep(0.05)
    raise TimeoutError("the mail with the token did not come")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Three of four valid cases meet something that exists; the fourth meets nothing."""
    spare_the_seeded(case)
    if not is_valid(case):
        return
    beyond_generation(case)
    name = operation_id(case)
    with _lock:
        number = next(_cases[name, case.meta.phase.name])
    if number % 4 == 0:
        return
    if not is_stateful(case):
        existing(case)
    body = case.body if isinstance(case.body, dict) else None
    headers = case.headers or {}
    if "If-Match" in headers:
        headers["If-Match"] = "*"
    if body is None:
        return
    if name == "login":
        case.body = dict(DEMO)
    elif name == "register":
        # What is generated first is short and even, and so among the common passwords; and the address of an example is taken
        # from its first use on.
        email = str(body.get("email")).lower()
        with _lock:
            is_taken = email in _taken
            _taken.add(email)
        fresh = {"email": f"fuzz-{next(_numbers)}-{os.getpid()}@example.com"} if is_taken else {}
        case.body = {**body, **fresh, "password": PASSWORD}
    elif name == "refreshSession":
        case.body = {"refresh_token": register()["refresh_token"]}
    elif name == "changePassword":
        case.body = {"current_password": PASSWORD, "new_password": f"{PASSWORD}-{number}"}
    elif name == "confirmPasswordReset":
        case.body = {"token": reset_token(), "new_password": f"{PASSWORD}-{number}"}
    elif name == "deleteMe":
        case.body = {"password": PASSWORD}
